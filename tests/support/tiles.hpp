// SPDX-License-Identifier: Apache-2.0
/// tiles.hpp: random quantised matrices in tiles, beside the blocks that they are made of.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "flashlm/base/tiles.hpp"
#include "flashlm/compute/cpu/isa/dispatch.hpp"
#include "support/formats.hpp"
#include "support/kernels.hpp"

namespace support {

/// The order in which tiles lie: strip after strip, as most matrices, or a block of columns after
/// the other, as a down matrix in bundles.
enum class Order { strips, columns };

/// Random tiles of `rows` rows of `n_blocks` blocks that begin `offset` bytes into their memory,
/// with `gap` bytes between the pieces of their order and none behind the last.
class Tiles {
 public:
  Tiles(DType dtype, std::size_t rows, std::size_t n_blocks, Order order = Order::strips,
        std::size_t offset = 0, std::size_t gap = 0)
      : blocks_(dtype, rows, n_blocks * flashlm::tile_cols(dtype)), offset_(offset) {
    const std::size_t tile = flashlm::tile_bytes(dtype), n_strips = flashlm::n_strips(rows);
    const bool by_strip = order == Order::strips;
    view_ = {nullptr,
             dtype,
             rows,
             n_blocks * flashlm::tile_cols(dtype),
             by_strip ? n_blocks * tile + gap : tile,
             by_strip ? tile : n_strips * tile + gap};
    bytes_.resize(offset + n_strips * n_blocks * tile +
                  gap * ((by_strip ? n_strips : n_blocks) - 1));
    view_.data = bytes_.data() + offset;
    put();
  }

  const flashlm::TilesView& view() const { return view_; }

  /// Blocks of activations that a row is multiplied with.
  std::size_t n_x() const { return view_.cols / flashlm::kActivationNumbers; }

  /// The columns of `count` blocks from block `first` on.
  flashlm::TilesView columns(std::size_t first, std::size_t count) const {
    flashlm::TilesView view = view_;
    view.data = view.tile(0, first);
    view.cols = count * flashlm::tile_cols(view.dtype);
    return view;
  }

  void set_scale(std::size_t row, std::size_t block, float scale) {
    put_scale(view_.dtype, blocks_.block(row, block), scale);
    put();
  }

  /// Sets every byte but the scale and the minimum of every block, which become 1 and 0.
  void fill(std::byte byte) {
    for (std::size_t row = 0; row < view_.rows; ++row) {
      for (std::size_t block = 0; block < view_.cols / flashlm::tile_cols(view_.dtype); ++block) {
        std::byte* at = blocks_.block(row, block);
        std::fill(at, at + flashlm::format_of(view_.dtype).bytes, byte);
        put_scale(view_.dtype, at, 1);
        if (has_minimum(view_.dtype)) put_half(at + minimum_at(view_.dtype), 0);
      }
    }
    put();
  }

  BlockNumber number(std::size_t row, std::size_t column) const {
    return block_number(view_.dtype, blocks_.view().row(row), column);
  }

 private:
  void put() {
    flashlm::kernels::table(Isa::scalar).to_tiles(blocks_.view(), view_, bytes_.data() + offset_);
  }

  Weights blocks_;
  std::size_t offset_;
  std::vector<std::byte> bytes_;
  flashlm::TilesView view_;
};

}  // namespace support
