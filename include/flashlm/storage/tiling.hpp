// SPDX-License-Identifier: Apache-2.0
/// tiling.hpp: rows of blocks to tiles (base/tiles.hpp). Bytes change their places, nothing else.
#pragma once

#include <cstddef>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/tiles.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

namespace detail {

inline constexpr std::size_t kScaleBytes = 2;
inline constexpr std::size_t kQuadBytes = 4;                       // of one row in a step
inline constexpr std::size_t kStepBytes = kTileRows * kQuadBytes;  // of all rows

}  // namespace detail

/// Bytes of a matrix in tiles without gaps.
constexpr std::size_t tiles_bytes(DType dtype, std::size_t rows, std::size_t cols) noexcept {
  return n_strips(rows) * strip_bytes(dtype, cols);
}

/// Makes tiles of rows of blocks, strip after strip; rows that are missing in the last strip become zeros.
///
/// rows [rows, cols] in q8_0 or q4_0; `tiles` has tiles_bytes(). Allocates nothing. Thread-safe.
void to_tiles(const MatrixView& rows, std::byte* tiles);

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/tiling.ipp"
#endif
