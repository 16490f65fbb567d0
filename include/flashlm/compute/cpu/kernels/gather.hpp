// SPDX-License-Identifier: Apache-2.0
/// gather.hpp: the products of a feed-forward network for neurons that lie anywhere in DRAM.
#pragma once

#include <cstddef>

#include "flashlm/base/matrix_view.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

/// y[r] = sum over k of row r [k] * x[k], with the bits of `matmul` for one token.
///
/// rows [n_rows, cols] in f32, f16 or bf16, x [cols], y [n_rows]; y may not overlap x. Throws
/// ArgumentError for another number format. Allocates nothing. Thread-safe.
void gather_dots(const RowsView& rows, const float* x, float* y);

/// y[c] += sum over r, ascending, of h[r] * row r [c], for the columns c in [begin_col, end_col).
///
/// rows [n_rows, cols] in f32, f16 or bf16, h [n_rows], y [cols]; y may not overlap h. Each element
/// is one chain of multiply-adds over ascending r, with the bits of `neuron_sum`, however columns
/// or (in ascending order) rows are cut into calls. Throws ArgumentError for another number format.
/// Allocates nothing. Thread-safe: give each thread its own columns.
void gather_sum(const RowsView& rows, const float* h, float* y, std::size_t begin_col,
                std::size_t end_col);

}  // namespace flashlm::inline FLASHLM_ABI::kernels

#if !defined(FLASHLM_COMPILED)
#include "flashlm/compute/cpu/kernels/gather.ipp"
#endif
