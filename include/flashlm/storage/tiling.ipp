// SPDX-License-Identifier: Apache-2.0
/// tiling.ipp: the bodies of tiling.hpp.
#pragma once

#include "flashlm/storage/tiling.hpp"

#include <cstdint>
#include <cstring>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

namespace detail {

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

FLASHLM_INLINE void to_tiles(const MatrixView& rows, std::byte* tiles) {
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

}  // namespace flashlm::inline FLASHLM_ABI::storage
