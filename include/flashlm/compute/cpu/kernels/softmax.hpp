// SPDX-License-Identifier: Apache-2.0
/// softmax.hpp: scores to probabilities.
#pragma once

#include <span>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

/// x[i] = exp(x[i] - max) / sum over j of exp(x[j] - max), in place.
///
/// -infinity becomes 0. A NaN, +infinity, or nothing but -infinity makes every result NaN. Empty:
/// nothing happens. Allocates nothing. Thread-safe.
void softmax(std::span<float> x);

}  // namespace flashlm::inline FLASHLM_ABI::kernels

#if !defined(FLASHLM_COMPILED)
#include "flashlm/compute/cpu/kernels/softmax.ipp"
#endif
