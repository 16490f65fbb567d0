// SPDX-License-Identifier: Apache-2.0
/// tiling.ipp: the bodies of tiling.hpp.
#pragma once

#include "flashlm/compute/cpu/quantise/tiling.hpp"

#include <cstring>

#include "flashlm/base/error.hpp"
#include "flashlm/base/tiles.hpp"
#include "flashlm/compute/cpu/isa/dispatch.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

FLASHLM_INLINE void to_tiles(const MatrixView& rows, std::byte* tiles) {
  detail::require_block(rows.dtype, "to_tiles");
  FLASHLM_ASSERT(rows.cols % tile_cols(rows.dtype) == 0);
  if (rows.rows % kTileRows != 0) {
    const std::size_t strip = strip_bytes(rows.dtype, rows.cols);
    std::memset(tiles + rows.rows / kTileRows * strip, 0, strip);
  }
  active().to_tiles(rows, TilesView::dense(tiles, rows.dtype, rows.rows, rows.cols), tiles);
}

}  // namespace flashlm::inline FLASHLM_ABI::kernels
