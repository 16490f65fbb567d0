// SPDX-License-Identifier: Apache-2.0
/// elementwise.hpp: sums and multiples of activations. One rounding per element, so Eigen can do it.
#pragma once

#include <span>

#include <Eigen/Core>

#include "flashlm/base/error.hpp"

namespace flashlm::inline v0::kernels {

/// y[i] += x[i]. x and y [n]; x may be y. Allocates nothing. Thread-safe.
inline void add(std::span<const float> x, std::span<float> y) {
  FLASHLM_ASSERT(x.size() == y.size());
  const auto n = static_cast<Eigen::Index>(y.size());
  Eigen::Map<Eigen::ArrayXf>(y.data(), n) += Eigen::Map<const Eigen::ArrayXf>(x.data(), n);
}

/// x[i] *= factor. Allocates nothing. Thread-safe.
inline void scale(std::span<float> x, float factor) {
  Eigen::Map<Eigen::ArrayXf>(x.data(), static_cast<Eigen::Index>(x.size())) *= factor;
}

}  // namespace flashlm::inline v0::kernels
