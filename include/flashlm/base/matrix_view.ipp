// SPDX-License-Identifier: Apache-2.0
/// matrix_view.ipp: the bodies of matrix_view.hpp.
#pragma once

#include "flashlm/base/matrix_view.hpp"

namespace flashlm::inline FLASHLM_ABI {

FLASHLM_INLINE MatrixView MatrixView::slice(std::size_t first, std::size_t count) const noexcept {
  return {row(first), dtype, count, cols, stride};
}

FLASHLM_INLINE MatrixView MatrixView::dense(const std::byte* data, DType dtype, std::size_t rows,
                                            std::size_t cols) noexcept {
  return {data, dtype, rows, cols, row_bytes(dtype, cols)};
}

FLASHLM_INLINE RowsView RowsView::slice(std::size_t first, std::size_t count) const noexcept {
  return {rows + first, offset, dtype, count, cols};
}

}  // namespace flashlm::inline FLASHLM_ABI
