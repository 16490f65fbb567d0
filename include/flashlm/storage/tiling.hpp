// SPDX-License-Identifier: Apache-2.0
/// tiling.hpp: rows of blocks to tiles (base/tiles.hpp). Bytes change their places, nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/tiles.hpp"

namespace flashlm::inline v0::storage {

namespace detail {

inline constexpr std::size_t kScaleBytes = 2;
inline constexpr std::size_t kQuadBytes = 4;                       // of one row in a step
inline constexpr std::size_t kStepBytes = kTileRows * kQuadBytes;  // of all rows
inline constexpr std::uint32_t kLowNibbles = 0x0f0f0f0fu;

inline std::uint32_t load_quad(const std::byte* at) noexcept {
  std::uint32_t quad;
  std::memcpy(&quad, at, sizeof quad);
  return quad;
}

inline void store_quad(std::byte* at, std::uint32_t quad) noexcept { std::memcpy(at, &quad, sizeof quad); }

/// Puts a block into row `row` of a tile. A block of q4_0 has numbers i and i + 16 in a byte, a tile i and i + 4.
inline void put_block(DType dtype, const std::byte* block, std::byte* tile, std::size_t row) noexcept {
  std::memcpy(tile + row * kScaleBytes, block, kScaleBytes);
  const std::byte* quants = block + kScaleBytes;
  std::byte* to = tile + kTileRows * kScaleBytes + row * kQuadBytes;
  switch (dtype) {
    case DType::q8_0:
      for (std::size_t step = 0; step < 8; ++step) {
        store_quad(to + step * kStepBytes, load_quad(quants + step * kQuadBytes));
      }
      return;
    case DType::q4_0:
      for (std::size_t half = 0; half < 2; ++half) {
        const std::uint32_t first = load_quad(quants + 2 * half * kQuadBytes);
        const std::uint32_t second = load_quad(quants + (2 * half + 1) * kQuadBytes);
        store_quad(to + half * kStepBytes, (first & kLowNibbles) | (second & kLowNibbles) << 4);
        store_quad(to + (half + 2) * kStepBytes, (first >> 4 & kLowNibbles) | (second & ~kLowNibbles));
      }
      return;
    case DType::f32:
    case DType::f16:
    case DType::bf16:
    case DType::u8: return;  // has no blocks: refused before
  }
}

}  // namespace detail

/// Bytes of a matrix in tiles without gaps.
constexpr std::size_t tiles_bytes(DType dtype, std::size_t rows, std::size_t cols) noexcept {
  return n_strips(rows) * strip_bytes(dtype, cols);
}

/// Makes tiles of rows of blocks, strip after strip; rows that are missing in the last strip become zeros.
///
/// rows [rows, cols] in q8_0 or q4_0; `tiles` has tiles_bytes(). Allocates nothing. Thread-safe.
inline void to_tiles(const MatrixView& rows, std::byte* tiles) {
  FLASHLM_ASSERT(is_block(rows.dtype) && rows.cols % kTileCols == 0);
  if (rows.rows % kTileRows != 0) {
    const std::size_t strip = strip_bytes(rows.dtype, rows.cols);
    std::memset(tiles + rows.rows / kTileRows * strip, 0, strip);
  }
  const TilesView view = TilesView::dense(tiles, rows.dtype, rows.rows, rows.cols);
  const std::size_t n_bytes = row_bytes(rows.dtype, kTileCols);
  for (std::size_t row = 0; row < rows.rows; ++row) {
    std::byte* tile = tiles + row / kTileRows * view.strip_stride;
    const std::byte* block = rows.row(row);
    for (std::size_t k = 0; k < rows.cols; k += kTileCols, block += n_bytes, tile += view.tile_stride) {
      detail::put_block(rows.dtype, block, tile, row % kTileRows);
    }
  }
}

}  // namespace flashlm::inline v0::storage
