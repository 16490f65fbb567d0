// SPDX-License-Identifier: Apache-2.0
/// column_tiles.hpp: a quantised down matrix, turned so that neurons are rows, with every block kept as it is.
///
/// A block of the down matrix [dim, n_neurons] holds one column of 32 neurons. A bundle of these neurons has `dim` such
/// blocks; a column tile is made of 32 of them, those of columns c to c + 31:
///
///     32 scales, f16: those of the 32 blocks
///     32 rows, one a neuron: its quant in each of the blocks, 32 numbers packed as in a block
///
/// Scales and quants are those of the source, and so is the number of bytes: only their places change.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"

namespace flashlm::inline v0::storage {

namespace detail {

/// 32 rows of 32 quants, one a byte.
using Quants = std::array<std::byte, kBlockNumbers * kBlockNumbers>;

inline constexpr std::size_t kScaleBytes = 2;

/// Transposes 8 rows of 8 bytes in registers: halves, quarters and bytes of each two rows are exchanged.
inline void transpose_8x8(const std::byte* from, std::byte* to) noexcept {
  std::array<std::uint64_t, 8> rows;
  for (std::size_t i = 0; i < 8; ++i) std::memcpy(&rows[i], from + i * kBlockNumbers, 8);
  const auto exchange = [&rows](std::size_t distance, unsigned bits, std::uint64_t low) {
    for (std::size_t i = 0; i < 8; ++i) {
      if (i & distance) continue;
      const std::uint64_t swapped = ((rows[i] >> bits) ^ rows[i + distance]) & low;
      rows[i + distance] ^= swapped;
      rows[i] ^= swapped << bits;
    }
  };
  exchange(4, 32, 0x00000000ffffffffu);
  exchange(2, 16, 0x0000ffff0000ffffu);
  exchange(1, 8, 0x00ff00ff00ff00ffu);
  for (std::size_t i = 0; i < 8; ++i) std::memcpy(to + i * kBlockNumbers, &rows[i], 8);
}

inline Quants transposed(const Quants& quants) noexcept {
  Quants result;
  for (std::size_t row = 0; row < kBlockNumbers; row += 8) {
    for (std::size_t col = 0; col < kBlockNumbers; col += 8) {
      transpose_8x8(quants.data() + row * kBlockNumbers + col, result.data() + col * kBlockNumbers + row);
    }
  }
  return result;
}

/// The quants of a block, one a byte.
inline void unpack(DType dtype, const std::byte* packed, std::byte* quants) noexcept {
  if (dtype == DType::q8_0) {
    std::memcpy(quants, packed, kBlockNumbers);
    return;
  }
  constexpr std::size_t kHalf = kBlockNumbers / 2;
  for (std::size_t i = 0; i < kHalf; ++i) quants[i] = packed[i] & std::byte{0x0f};
  for (std::size_t i = 0; i < kHalf; ++i) quants[i + kHalf] = packed[i] >> 4;
}

/// The inverse of `unpack`.
inline void pack(DType dtype, const std::byte* quants, std::byte* packed) noexcept {
  if (dtype == DType::q8_0) {
    std::memcpy(packed, quants, kBlockNumbers);
    return;
  }
  constexpr std::size_t kHalf = kBlockNumbers / 2;
  for (std::size_t i = 0; i < kHalf; ++i) packed[i] = quants[i] | quants[i + kHalf] << 4;
}

/// Bytes of the quants of a block.
constexpr std::size_t quant_bytes(DType dtype) noexcept { return row_bytes(dtype, kBlockNumbers) - kScaleBytes; }

}  // namespace detail

/// Bytes of the column tiles of `dim` columns.
constexpr std::size_t column_tile_bytes(DType dtype, std::size_t dim) noexcept {
  return kBlockNumbers * row_bytes(dtype, dim);
}

/// Makes column tiles of the blocks of 32 neurons.
///
/// blocks [dim, 32]: one block a row, rows `stride` bytes apart; `tiles` has column_tile_bytes(). Both in q8_0 or q4_0,
/// dim a multiple of 32. Allocates nothing. Thread-safe.
inline void to_column_tiles(const MatrixView& blocks, std::byte* tiles) {
  FLASHLM_ASSERT(is_block(blocks.dtype) && blocks.cols == kBlockNumbers && blocks.rows % kBlockNumbers == 0);
  const std::size_t n_bytes = detail::quant_bytes(blocks.dtype);
  for (std::size_t first = 0; first < blocks.rows; first += kBlockNumbers) {
    detail::Quants quants;
    for (std::size_t column = 0; column < kBlockNumbers; ++column) {
      const std::byte* block = blocks.row(first + column);
      std::memcpy(tiles + column * detail::kScaleBytes, block, detail::kScaleBytes);
      detail::unpack(blocks.dtype, block + detail::kScaleBytes, quants.data() + column * kBlockNumbers);
    }
    tiles += kBlockNumbers * detail::kScaleBytes;
    quants = detail::transposed(quants);
    for (std::size_t neuron = 0; neuron < kBlockNumbers; ++neuron, tiles += n_bytes) {
      detail::pack(blocks.dtype, quants.data() + neuron * kBlockNumbers, tiles);
    }
  }
}

/// The inverse of `to_column_tiles`: writes the blocks of `dim` columns, `stride` bytes apart, to `blocks`.
///
/// Allocates nothing. Thread-safe.
inline void from_column_tiles(DType dtype, std::size_t dim, const std::byte* tiles, std::byte* blocks,
                              std::size_t stride) {
  FLASHLM_ASSERT(is_block(dtype) && dim % kBlockNumbers == 0);
  const std::size_t n_bytes = detail::quant_bytes(dtype);
  for (std::size_t first = 0; first < dim; first += kBlockNumbers) {
    const std::byte* scales = tiles;
    tiles += kBlockNumbers * detail::kScaleBytes;
    detail::Quants quants;
    for (std::size_t neuron = 0; neuron < kBlockNumbers; ++neuron, tiles += n_bytes) {
      detail::unpack(dtype, tiles, quants.data() + neuron * kBlockNumbers);
    }
    quants = detail::transposed(quants);
    for (std::size_t column = 0; column < kBlockNumbers; ++column) {
      std::byte* block = blocks + (first + column) * stride;
      std::memcpy(block, scales + column * detail::kScaleBytes, detail::kScaleBytes);
      detail::pack(dtype, quants.data() + column * kBlockNumbers, block + detail::kScaleBytes);
    }
  }
}

}  // namespace flashlm::inline v0::storage
