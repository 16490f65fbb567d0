// SPDX-License-Identifier: Apache-2.0
/// tile_sum.hpp: the sum over 32 neurons whose down columns are quantised along the neurons.
#pragma once

#include <cstddef>

#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/kernels/dispatch.hpp"

namespace flashlm::inline v0::kernels {

/// y[t][c] += scale[c] * (sum over n of h[t][n] * quant[n][c]), for the columns c in [begin_col, end_col).
///
/// `tiles` is [32, dim] in q8_0 or q4_0, without gaps: for every 32 columns a tile, which is their f16 scales followed
/// by 32 rows of their quants, one row a neuron, packed as in a block. So it is 32 blocks that run along the neurons,
/// turned. h [n_tokens, 32], y [n_tokens, dim]; y may not overlap h. Strides count floats from one token to the next.
/// Each element is one chain of multiply-adds over ascending n from zero, and one with the scale: the same bits however
/// tokens or columns are cut into calls. begin_col and end_col are multiples of 32.
/// `next` is where the tiles of the call that follows begin: their columns are asked for early. No result depends on
/// it. Throws ArgumentError for another number format. Allocates nothing. Thread-safe: give each thread its own
/// columns.
inline void tile_sum(const MatrixView& tiles, const float* h, std::size_t h_stride, std::size_t n_tokens, float* y,
                     std::size_t y_stride, std::size_t begin_col, std::size_t end_col,
                     const std::byte* next = nullptr) {
  if (!is_block(tiles.dtype)) {
    throw ArgumentError(concat("[tile_sum] number format: expected q8_0 or q4_0, got ", name(tiles.dtype)));
  }
  FLASHLM_ASSERT(tiles.rows == kBlockNumbers && tiles.stride == row_bytes(tiles.dtype, tiles.cols));
  FLASHLM_ASSERT(begin_col % kBlockNumbers == 0 && end_col % kBlockNumbers == 0 && tiles.cols % kBlockNumbers == 0);
  FLASHLM_ASSERT(begin_col <= end_col && end_col <= tiles.cols);
  FLASHLM_ASSERT(n_tokens < 2 || (h_stride >= kBlockNumbers && y_stride >= end_col));
  active().tile_sum(tiles, h, h_stride, n_tokens, y, y_stride, begin_col, end_col, next);
}

}  // namespace flashlm::inline v0::kernels
