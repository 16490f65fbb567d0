// SPDX-License-Identifier: Apache-2.0
/// tiles.ipp: the bodies of tiles.hpp.
#pragma once

#include "flashlm/base/tiles.hpp"

namespace flashlm::inline FLASHLM_ABI {

FLASHLM_INLINE const std::byte* TilesView::tile(std::size_t strip,
                                                std::size_t block) const noexcept {
  return data + strip * strip_stride + block * tile_stride;
}

FLASHLM_INLINE TilesView TilesView::slice(std::size_t begin, std::size_t end) const noexcept {
  return {tile(begin / kTileRows, 0), dtype, end - begin, cols, strip_stride, tile_stride};
}

FLASHLM_INLINE TilesView TilesView::dense(const std::byte* data, DType dtype, std::size_t rows,
                                          std::size_t cols) noexcept {
  return {data, dtype, rows, cols, strip_bytes(dtype, cols), tile_bytes(dtype)};
}

}  // namespace flashlm::inline FLASHLM_ABI
