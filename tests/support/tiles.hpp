// SPDX-License-Identifier: Apache-2.0
/// tiles.hpp: random quantised matrices in tiles, made of blocks one number at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "flashlm/base/tiles.hpp"
#include "support/kernels.hpp"

namespace support {

/// The order in which tiles lie: strip after strip, as most matrices, or 32 columns after 32
/// columns, as a down matrix in bundles.
enum class Order { strips, columns };

/// Random tiles of [rows, cols] that begin `offset` bytes into their memory, with `gap` bytes
/// between the pieces of their order and none behind the last.
class Tiles {
 public:
  Tiles(DType dtype, std::size_t rows, std::size_t cols, Order order = Order::strips,
        std::size_t offset = 0, std::size_t gap = 0)
      : blocks_(dtype, rows, cols) {
    const std::size_t tile = flashlm::tile_bytes(dtype), n_blocks = cols / 32,
                      n_strips = flashlm::n_strips(rows);
    const bool by_strip = order == Order::strips;
    view_ = {nullptr,
             dtype,
             rows,
             cols,
             by_strip ? n_blocks * tile + gap : tile,
             by_strip ? tile : n_strips * tile + gap};
    bytes_.resize(offset + n_strips * n_blocks * tile +
                  gap * ((by_strip ? n_strips : n_blocks) - 1));
    view_.data = bytes_.data() + offset;
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t block = 0; block < n_blocks; ++block) put(row, block);
    }
  }

  const flashlm::TilesView& view() const { return view_; }

  /// The columns of `count` blocks from block `first` on.
  flashlm::TilesView columns(std::size_t first, std::size_t count) const {
    flashlm::TilesView view = view_;
    view.data = view.tile(0, first);
    view.cols = count * 32;
    return view;
  }

  float scale(std::size_t row, std::size_t block) const {
    std::uint16_t half;
    std::memcpy(&half, at(row, block), sizeof half);
    return flashlm::f16_to_f32(half);
  }

  void set_scale(std::size_t row, std::size_t block, float scale) {
    const std::uint16_t half = flashlm::f32_to_f16(scale);
    std::memcpy(tile(row, block) + 2 * (row % 32), &half, sizeof half);
    std::memcpy(const_cast<std::byte*>(at(row, block)), &half, sizeof half);
  }

  /// Column k of a block of a row, as an integer.
  int quant(std::size_t row, std::size_t block, std::size_t k) const {
    const std::byte* quants = at(row, block) + 2;
    if (view_.dtype == DType::q8_0) return static_cast<std::int8_t>(quants[k]);
    const int pair = static_cast<int>(quants[k % 16]);
    return (k < 16 ? pair & 15 : pair >> 4) - 8;
  }

 private:
  /// The block, in the order of ggml.
  const std::byte* at(std::size_t row, std::size_t block) const {
    return blocks_.view().row(row) + block * flashlm::row_bytes(view_.dtype, 32);
  }

  std::byte* tile(std::size_t row, std::size_t block) {
    return bytes_.data() + (view_.tile(row / 32, block) - bytes_.data());
  }

  void put(std::size_t row, std::size_t block) {
    std::byte* tile = this->tile(row, block);
    const std::size_t r = row % 32;
    std::memcpy(tile + 2 * r, at(row, block), 2);
    for (std::size_t k = 0; k < 32; ++k) {
      if (view_.dtype == DType::q8_0) {
        tile[64 + k / 4 * 128 + 4 * r + k % 4] = static_cast<std::byte>(quant(row, block, k));
      } else {
        const int nibble = quant(row, block, k) + 8;
        tile[64 + k / 8 * 128 + 4 * r + k % 4] |=
            static_cast<std::byte>(k % 8 < 4 ? nibble : nibble << 4);
      }
    }
  }

  Weights blocks_;
  std::vector<std::byte> bytes_;
  flashlm::TilesView view_;
};

}  // namespace support
