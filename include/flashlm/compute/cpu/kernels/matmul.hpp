// SPDX-License-Identifier: Apache-2.0
/// matmul.hpp: the product of a weight matrix with the activations of some tokens.
#pragma once

#include <cstddef>

#include "flashlm/base/matrix_view.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

/// y[t][r] = sum over k of weights[r][k] * x[t][k].
///
/// weights [rows, cols] in any number format but u8, x [n_tokens, cols], y [n_tokens, rows]; y may
/// not overlap x. `x_stride` and `y_stride` count floats from one token to the next. An output has
/// the same bits whatever the number of tokens and rows in the call, and as for the same weights in
/// f32: one vector accumulator over ascending k, then one fixed sum of its lanes. cols is whole
/// blocks. Throws ArgumentError for u8. Allocates nothing. Thread-safe: give each thread its own
/// rows.
void matmul(const MatrixView& weights, const float* x, std::size_t x_stride, std::size_t n_tokens,
            float* y, std::size_t y_stride);

}  // namespace flashlm::inline FLASHLM_ABI::kernels

#if !defined(FLASHLM_COMPILED)
#include "flashlm/compute/cpu/kernels/matmul.ipp"
#endif
