// SPDX-License-Identifier: Apache-2.0
/// rope.ipp: the bodies of rope.hpp.
#pragma once

#include "flashlm/compute/cpu/kernels/rope.hpp"

#include "flashlm/base/error.hpp"
#include "flashlm/compute/cpu/isa/dispatch.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

FLASHLM_INLINE void rope(std::span<float> head, std::span<const float> cosines,
                         std::span<const float> sines) {
  FLASHLM_ASSERT(head.size() == 2 * cosines.size() && sines.size() == cosines.size());
  active().rope(head.data(), cosines.data(), sines.data(), cosines.size());
}

}  // namespace flashlm::inline FLASHLM_ABI::kernels
