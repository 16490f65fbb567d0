// SPDX-License-Identifier: Apache-2.0
/// neuron_sum.hpp: the second half of a feed-forward network, a sum over neurons (arXiv:2312.11514,
/// section 3).
#pragma once

#include <cstddef>

#include "flashlm/base/matrix_view.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

/// y[t][c] += sum over n of h[t][n] * rows[n][c], for the columns c in [begin_col, end_col).
///
/// rows [n, dim] in f32, f16 or bf16, a row being one neuron's column of the down matrix; h
/// [n_tokens, n], y [n_tokens, dim]; y may not overlap h. Strides count floats from one token to
/// the next. Each element is one chain of multiply-adds over ascending n, so it has the same bits
/// however tokens, columns, or (in ascending order) rows are cut into calls. A zero in h is
/// multiplied like any other number. Throws ArgumentError for another number format. `next` is
/// where the rows of the call that follows begin: their columns are asked for early. No result
/// depends on it. Allocates nothing. Thread-safe: give each thread its own columns.
void neuron_sum(const MatrixView& rows, const float* h, std::size_t h_stride, std::size_t n_tokens,
                float* y, std::size_t y_stride, std::size_t begin_col, std::size_t end_col,
                const std::byte* next = nullptr);

}  // namespace flashlm::inline FLASHLM_ABI::kernels

#if !defined(FLASHLM_COMPILED)
#include "flashlm/compute/cpu/kernels/neuron_sum.ipp"
#endif
