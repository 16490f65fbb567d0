// SPDX-License-Identifier: Apache-2.0
/// gather.ipp: the bodies of gather.hpp.
#pragma once

#include "flashlm/compute/cpu/kernels/gather.hpp"

#include "flashlm/base/error.hpp"
#include "flashlm/compute/cpu/isa/dispatch.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

FLASHLM_INLINE void gather_dots(const RowsView& rows, const float* x, float* y) {
  detail::require_plain(rows.dtype, "gather_dots");
  active().gather_dots(rows, x, y);
}

FLASHLM_INLINE void gather_sum(const RowsView& rows, const float* h, float* y,
                               std::size_t begin_col, std::size_t end_col) {
  detail::require_plain(rows.dtype, "gather_sum");
  FLASHLM_ASSERT(begin_col <= end_col && end_col <= rows.cols);
  active().gather_sum(rows, h, y, begin_col, end_col);
}

}  // namespace flashlm::inline FLASHLM_ABI::kernels
