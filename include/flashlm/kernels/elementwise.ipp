// SPDX-License-Identifier: Apache-2.0
/// elementwise.ipp: the bodies of elementwise.hpp.
#pragma once

#include "flashlm/kernels/elementwise.hpp"

#include <Eigen/Core>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

FLASHLM_INLINE void add(std::span<const float> x, std::span<float> y) {
  FLASHLM_ASSERT(x.size() == y.size());
  const auto n = static_cast<Eigen::Index>(y.size());
  Eigen::Map<Eigen::ArrayXf>(y.data(), n) += Eigen::Map<const Eigen::ArrayXf>(x.data(), n);
}

FLASHLM_INLINE void scale(std::span<float> x, float factor) {
  Eigen::Map<Eigen::ArrayXf>(x.data(), static_cast<Eigen::Index>(x.size())) *= factor;
}

}  // namespace flashlm::inline FLASHLM_ABI::kernels
