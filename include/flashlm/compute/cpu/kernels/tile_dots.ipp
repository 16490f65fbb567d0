// SPDX-License-Identifier: Apache-2.0
/// tile_dots.ipp: the bodies of tile_dots.hpp.
#pragma once

#include "flashlm/compute/cpu/kernels/tile_dots.hpp"

#include "flashlm/base/error.hpp"
#include "flashlm/compute/cpu/isa/dispatch.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

FLASHLM_INLINE void to_blocks(std::span<const float> x, ActivationBlock* blocks) {
  FLASHLM_ASSERT(x.size() % kActivationNumbers == 0);
  active().to_blocks(x.data(), blocks, x.size() / kActivationNumbers);
}

FLASHLM_INLINE void tile_dots(const TilesView& tiles, const ActivationBlock* x,
                              std::size_t x_stride, std::size_t n_tokens, float* y,
                              std::size_t y_stride) {
  detail::require_block(tiles.dtype, "tile_dots");
  FLASHLM_ASSERT(tiles.cols % tile_cols(tiles.dtype) == 0);
  FLASHLM_ASSERT(n_tokens < 2 ||
                 (x_stride >= tiles.cols / kActivationNumbers && y_stride >= tiles.rows));
  active().tile_dots(tiles, x, x_stride, n_tokens, y, y_stride);
}

}  // namespace flashlm::inline FLASHLM_ABI::kernels
