// SPDX-License-Identifier: Apache-2.0
/// tile_dots.hpp: the product of a quantised matrix with activations that are rounded to 8 bits.
#pragma once

#include <cstddef>
#include <span>

#include "flashlm/base/tiles.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

/// Rounds activations to blocks of 32: scale = (the largest magnitude) / 127, quants to nearest
/// even.
///
/// x [32 n], blocks [n]. A block whose magnitudes are all below 2^-100 becomes zeros; one with a
/// number that is not finite has the scale NaN, so that every product is NaN. The same bits on
/// every instruction set. Allocates nothing. Thread-safe.
void to_blocks(std::span<const float> x, ActivationBlock* blocks);

/// y[t][r] += sum over k of tiles[r][k] * x[t][k].
///
/// tiles [rows, cols] in a format of blocks, x [n_tokens, cols / 32], y [n_tokens, rows]; y may not
/// overlap x. `x_stride` counts blocks and `y_stride` floats from one token to the next. Each
/// element of y is one chain over ascending blocks of fma(float(n), weight scale * activation
/// scale, y), where n, the sum of the products of the quants, is exact. So an output has the same
/// bits however rows, blocks (in ascending order) and tokens are cut into calls, and on every
/// instruction set whose fma rounds once. Throws ArgumentError for another number format. Allocates
/// nothing. Thread-safe: give each thread its own rows.
void tile_dots(const TilesView& tiles, const ActivationBlock* x, std::size_t x_stride,
               std::size_t n_tokens, float* y, std::size_t y_stride);

}  // namespace flashlm::inline FLASHLM_ABI::kernels

#if !defined(FLASHLM_COMPILED)
#include "flashlm/compute/cpu/kernels/tile_dots.ipp"
#endif
