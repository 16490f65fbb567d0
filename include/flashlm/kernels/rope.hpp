// SPDX-License-Identifier: Apache-2.0
/// rope.hpp: rotary position embedding (arXiv:2104.09864, section 3.2), in the order of Hugging Face.
#pragma once

#include <span>

#include "flashlm/base/error.hpp"
#include "flashlm/kernels/dispatch.hpp"

namespace flashlm::inline v0::kernels {

/// Rotates the pairs (a, b) = (head[i], head[i + half]) in place: a' = a cos - b sin, b' = b cos + a sin.
///
/// head [2 * half], cosines and sines [half] of this position. Allocates nothing. Thread-safe.
inline void rope(std::span<float> head, std::span<const float> cosines, std::span<const float> sines) {
  FLASHLM_ASSERT(head.size() == 2 * cosines.size() && sines.size() == cosines.size());
  active().rope(head.data(), cosines.data(), sines.data(), cosines.size());
}

}  // namespace flashlm::inline v0::kernels
