// SPDX-License-Identifier: Apache-2.0
/// softmax.hpp: scores to probabilities.
#pragma once

#include <span>

#include "flashlm/kernels/dispatch.hpp"

namespace flashlm::inline v0::kernels {

/// x[i] = exp(x[i] - max) / sum over j of exp(x[j] - max), in place.
///
/// -infinity becomes 0. A NaN, +infinity, or nothing but -infinity makes every result NaN. Empty: nothing happens.
/// Allocates nothing. Thread-safe.
inline void softmax(std::span<float> x) { active().softmax(x.data(), x.size()); }

}  // namespace flashlm::inline v0::kernels
