// SPDX-License-Identifier: Apache-2.0
/// attention.hpp: queries over the keys and values they may see (arXiv:1706.03762, equation 1).
#pragma once

#include "flashlm/base/matrix_view.hpp"
#include "flashlm/compute/cpu/isa/dispatch.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

/// out = sum over i of softmax(scale * dot(keys[i], query))[i] * values[i], for each of the
/// queries.
///
/// keys and values [at least first + n_tokens, head_dim] in f32 or f16; out may not overlap the
/// queries. Keys and values are taken in blocks of 64, counted from position 0, with a running
/// maximum and a running sum (FlashAttention, arXiv:2205.14135): no matrix of scores is kept. The
/// bits of a result depend on the query and its keys and values only, not on the queries beside it.
/// What lies behind the last key that a query sees is not read for it. Throws ArgumentError for
/// another number format. Allocates nothing; needs some 40 KiB of stack, and matmul's. Thread-safe.
void attend(const Queries& queries, const MatrixView& keys, const MatrixView& values, float scale);

}  // namespace flashlm::inline FLASHLM_ABI::kernels

#if !defined(FLASHLM_COMPILED)
#include "flashlm/compute/cpu/kernels/attention.ipp"
#endif
