// SPDX-License-Identifier: Apache-2.0
/// neuron_sum.ipp: the bodies of neuron_sum.hpp.
#pragma once

#include "flashlm/compute/cpu/kernels/neuron_sum.hpp"

#include "flashlm/base/error.hpp"
#include "flashlm/compute/cpu/isa/dispatch.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

FLASHLM_INLINE void neuron_sum(const MatrixView& rows, const float* h, std::size_t h_stride,
                               std::size_t n_tokens, float* y, std::size_t y_stride,
                               std::size_t begin_col, std::size_t end_col, const std::byte* next) {
  detail::require_plain(rows.dtype, "neuron_sum");
  FLASHLM_ASSERT(begin_col <= end_col && end_col <= rows.cols);
  FLASHLM_ASSERT(rows.rows < 2 || rows.stride >= row_bytes(rows.dtype, rows.cols));
  FLASHLM_ASSERT(n_tokens < 2 || (h_stride >= rows.rows && y_stride >= end_col));
  active().neuron_sum(rows, h, h_stride, n_tokens, y, y_stride, begin_col, end_col, next);
}

}  // namespace flashlm::inline FLASHLM_ABI::kernels
