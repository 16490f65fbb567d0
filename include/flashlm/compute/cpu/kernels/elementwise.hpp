// SPDX-License-Identifier: Apache-2.0
/// elementwise.hpp: sums and multiples of activations. One rounding per element, in any order.
#pragma once

#include <span>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

/// y[i] += x[i]. x and y [n]; x may be y. Allocates nothing. Thread-safe.
void add(std::span<const float> x, std::span<float> y);

/// x[i] *= factor. Allocates nothing. Thread-safe.
void scale(std::span<float> x, float factor);

}  // namespace flashlm::inline FLASHLM_ABI::kernels

#if !defined(FLASHLM_COMPILED)
#include "flashlm/compute/cpu/kernels/elementwise.ipp"
#endif
