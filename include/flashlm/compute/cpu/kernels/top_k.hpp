// SPDX-License-Identifier: Apache-2.0
/// top_k.hpp: the indices of the largest numbers.
#pragma once

#include <cstddef>
#include <span>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

/// The index of the largest number; the lowest of equals. A NaN loses against every number.
///
/// Throws ArgumentError if x is empty. Thread-safe.
std::size_t argmax(std::span<const float> x);

/// out[0, k) = the indices of the k largest numbers of x, the largest first; equals by rising
/// index, NaN last.
///
/// Throws ArgumentError if k is more than x or out holds. Allocates nothing. Thread-safe.
void top_k(std::span<const float> x, std::size_t k, std::span<std::size_t> out);

}  // namespace flashlm::inline FLASHLM_ABI::kernels

#if !defined(FLASHLM_COMPILED)
#include "flashlm/compute/cpu/kernels/top_k.ipp"
#endif
