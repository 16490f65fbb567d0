// SPDX-License-Identifier: Apache-2.0
/// elementwise.ipp: the bodies of elementwise.hpp.
#pragma once

#include "flashlm/compute/cpu/kernels/elementwise.hpp"

#include <cstddef>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

FLASHLM_INLINE void add(std::span<const float> x, std::span<float> y) {
  FLASHLM_ASSERT(x.size() == y.size());
  for (std::size_t index = 0; index < y.size(); ++index) y[index] += x[index];
}

FLASHLM_INLINE void scale(std::span<float> x, float factor) {
  for (float& value : x) value *= factor;
}

}  // namespace flashlm::inline FLASHLM_ABI::kernels
