// SPDX-License-Identifier: Apache-2.0
/// tiles.hpp: quantised matrices in tiles of 32 rows, and the activations that they are multiplied
/// with.
///
/// A row of a quantised matrix is blocks. In a layer the blocks of 32 rows, one below the other,
/// lie together as a *tile*, so that one instruction works on four columns of many rows: first what
/// each row has once (its scale), row after row, then *steps*, each four bytes of every row. What
/// they hold is in compute/cpu/formats/<name>.inc, and for files in docs/format.md. Scales and
/// quants are those of the blocks, and so is the number of bytes: only their places change. 32 rows
/// are a *strip*. Rows that are missing in the last strip are zeros.
#pragma once

#include <cstddef>
#include <cstdint>

#include "flashlm/base/dtype.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI {

/// Rows of a tile.
inline constexpr std::size_t kTileRows = 32;

/// Columns of a tile: those of a block.
constexpr std::size_t tile_cols(DType dtype) noexcept { return format_of(dtype).numbers; }

/// Neurons of a bundle of a quantised layer: a tile of the gate and up matrices, and of the down
/// matrix one block.
inline constexpr std::size_t kBundleNeurons = 32;
static_assert(kBundleNeurons == kTileRows, "a bundle has one tile for a block of columns");

/// Activations that share a scale.
inline constexpr std::size_t kActivationNumbers = 32;

/// Bytes of a tile of a block format.
constexpr std::size_t tile_bytes(DType dtype) noexcept {
  return kTileRows * format_of(dtype).bytes;
}

/// Strips of a matrix of `rows` rows.
constexpr std::size_t n_strips(std::size_t rows) noexcept {
  return (rows + kTileRows - 1) / kTileRows;
}

/// Bytes of 32 rows of `cols` numbers.
constexpr std::size_t strip_bytes(DType dtype, std::size_t cols) noexcept {
  return kTileRows * row_bytes(dtype, cols);
}

/// Bytes of a matrix in tiles without gaps.
constexpr std::size_t tiles_bytes(DType dtype, std::size_t rows, std::size_t cols) noexcept {
  return n_strips(rows) * strip_bytes(dtype, cols);
}

/// [rows, cols] of blocks in tiles; cols is a multiple of tile_cols. Owns nothing.
struct TilesView {
  const std::byte* data = nullptr;
  DType dtype = DType::q8_0;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t strip_stride = 0;  // bytes from a tile to that of the next 32 rows
  std::size_t tile_stride = 0;   // bytes from a tile to that of the next columns

  /// The tile of a strip and a block of columns.
  const std::byte* tile(std::size_t strip, std::size_t block) const noexcept;

  /// The rows [begin, end); `begin` is a multiple of 32.
  TilesView slice(std::size_t begin, std::size_t end) const noexcept;

  /// A matrix without gaps, strip after strip.
  static TilesView dense(const std::byte* data, DType dtype, std::size_t rows,
                         std::size_t cols) noexcept;
};

/// 32 activations, rounded to 8 bits: number k is scale * quants[k].
struct ActivationBlock {
  std::int8_t quants[kActivationNumbers];
  float scale;
  std::int32_t sum;          // of the quants
  std::int16_t halves[2]{};  // of the first 16 and of the others
};

}  // namespace flashlm::inline FLASHLM_ABI

#if !defined(FLASHLM_COMPILED)
#include "flashlm/base/tiles.ipp"
#endif
