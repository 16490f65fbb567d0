// SPDX-License-Identifier: Apache-2.0
/// matrix_view.hpp: a row-major matrix of weights that somebody else owns.
#pragma once

#include <cstddef>

#include "flashlm/base/dtype.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI {

/// [rows, cols] of `dtype`, row-major; `stride` bytes from one row to the next. Owns nothing.
struct MatrixView {
  const std::byte* data = nullptr;
  DType dtype = DType::f32;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t stride = 0;  // bytes

  const std::byte* row(std::size_t index) const noexcept { return data + index * stride; }

  /// Rows [first, first + count).
  MatrixView slice(std::size_t first, std::size_t count) const noexcept;

  /// A matrix without gaps between its rows.
  static MatrixView dense(const std::byte* data, DType dtype, std::size_t rows,
                          std::size_t cols) noexcept;
};

/// [n_rows, cols] of `dtype` whose rows lie anywhere: row i begins at rows[i] + offset. Owns
/// nothing.
struct RowsView {
  const std::byte* const* rows = nullptr;  // [n_rows]
  std::size_t offset = 0;                  // bytes
  DType dtype = DType::f32;
  std::size_t n_rows = 0;
  std::size_t cols = 0;

  const std::byte* row(std::size_t index) const noexcept { return rows[index] + offset; }

  /// Rows [first, first + count).
  RowsView slice(std::size_t first, std::size_t count) const noexcept;
};

}  // namespace flashlm::inline FLASHLM_ABI

#if !defined(FLASHLM_COMPILED)
#include "flashlm/base/matrix_view.ipp"
#endif
