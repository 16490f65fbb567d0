// SPDX-License-Identifier: Apache-2.0
/// matmul.hpp: the product of a weight matrix with the activations of some tokens.
#pragma once

#include <cstddef>

#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/kernels/dispatch.hpp"

namespace flashlm::inline v0::kernels {

/// y[t][r] = sum over k of weights[r][k] * x[t][k].
///
/// weights [rows, cols] in any number format but u8, x [n_tokens, cols], y [n_tokens, rows]; y may not overlap x.
/// `x_stride` and `y_stride` count floats from one token to the next. An output has the same bits whatever the number
/// of tokens and rows in the call, and as for the same weights in f32: one vector accumulator over ascending k, then
/// one fixed sum of its lanes. cols is a multiple of kBlockNumbers for a block format. Throws ArgumentError for u8.
/// Allocates nothing. Thread-safe: give each thread its own rows.
inline void matmul(const MatrixView& weights, const float* x, std::size_t x_stride, std::size_t n_tokens, float* y,
                   std::size_t y_stride) {
  detail::require_number(weights.dtype, "matmul");
  FLASHLM_ASSERT(!is_block(weights.dtype) || weights.cols % kBlockNumbers == 0);
  FLASHLM_ASSERT(weights.rows < 2 || weights.stride >= row_bytes(weights.dtype, weights.cols));
  FLASHLM_ASSERT(n_tokens < 2 || (x_stride >= weights.cols && y_stride >= weights.rows));
  active().matmul(weights, x, x_stride, n_tokens, y, y_stride);
}

}  // namespace flashlm::inline v0::kernels
