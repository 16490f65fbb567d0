// SPDX-License-Identifier: Apache-2.0
/// rope.hpp: rotary position embedding (arXiv:2104.09864, section 3.2), in the order of Hugging
/// Face.
#pragma once

#include <span>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

/// Rotates the pairs (a, b) = (head[i], head[i + half]) in place: a' = a cos - b sin, b' = b cos +
/// a sin.
///
/// head [2 * half], cosines and sines [half] of this position. Allocates nothing. Thread-safe.
void rope(std::span<float> head, std::span<const float> cosines, std::span<const float> sines);

}  // namespace flashlm::inline FLASHLM_ABI::kernels

#if !defined(FLASHLM_COMPILED)
#include "flashlm/compute/cpu/kernels/rope.ipp"
#endif
