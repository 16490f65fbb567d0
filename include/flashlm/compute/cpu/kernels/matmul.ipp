// SPDX-License-Identifier: Apache-2.0
/// matmul.ipp: the bodies of matmul.hpp.
#pragma once

#include "flashlm/compute/cpu/kernels/matmul.hpp"

#include "flashlm/base/error.hpp"
#include "flashlm/compute/cpu/isa/dispatch.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

FLASHLM_INLINE void matmul(const MatrixView& weights, const float* x, std::size_t x_stride,
                           std::size_t n_tokens, float* y, std::size_t y_stride) {
  detail::require_number(weights.dtype, "matmul");
  FLASHLM_ASSERT(weights.cols % format_of(weights.dtype).numbers == 0);
  FLASHLM_ASSERT(weights.rows < 2 || weights.stride >= row_bytes(weights.dtype, weights.cols));
  FLASHLM_ASSERT(n_tokens < 2 || (x_stride >= weights.cols && y_stride >= weights.rows));
  active().matmul(weights, x, x_stride, n_tokens, y, y_stride);
}

}  // namespace flashlm::inline FLASHLM_ABI::kernels
