// SPDX-License-Identifier: Apache-2.0
/// matrix_view.hpp: a row-major matrix of weights that somebody else owns.
#pragma once

#include <cstddef>
#include <cstdint>

#include "flashlm/base/dtype.hpp"

namespace flashlm::inline v0 {

/// [rows, cols] of `dtype`, row-major; `stride` bytes from one row to the next. Owns nothing.
struct MatrixView {
  const std::byte* data = nullptr;
  DType dtype = DType::f32;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t stride = 0;  // bytes

  const std::byte* row(std::size_t index) const noexcept { return data + index * stride; }

  /// Rows [first, first + count).
  MatrixView slice(std::size_t first, std::size_t count) const noexcept {
    return {row(first), dtype, count, cols, stride};
  }

  /// A matrix without gaps between its rows.
  static MatrixView dense(const std::byte* data, DType dtype, std::size_t rows, std::size_t cols) noexcept {
    return {data, dtype, rows, cols, row_bytes(dtype, cols)};
  }
};

}  // namespace flashlm::inline v0
