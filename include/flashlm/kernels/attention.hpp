// SPDX-License-Identifier: Apache-2.0
/// attention.hpp: queries over the keys and values they may see (arXiv:1706.03762, equation 1).
#pragma once

#include <cstddef>

#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/kernels/dispatch.hpp"

namespace flashlm::inline v0::kernels {

/// out = sum over i of softmax(scale * dot(keys[i], query))[i] * values[i], for each of the queries.
///
/// keys and values [at least first + n_tokens, head_dim] in f32 or f16; out may not overlap the queries. Keys and
/// values are taken in blocks of 64, counted from position 0, with a running maximum and a running sum (FlashAttention,
/// arXiv:2205.14135): no matrix of scores is kept. The bits of a result depend on the query and its keys and values
/// only, not on the queries beside it. What lies behind the last key that a query sees is not read for it.
/// Throws ArgumentError for another number format. Allocates nothing; needs some 40 KiB of stack, and matmul's.
/// Thread-safe.
inline void attend(const Queries& queries, const MatrixView& keys, const MatrixView& values, float scale) {
  detail::require_f32_or_f16(keys.dtype, "attend");
  detail::require_f32_or_f16(values.dtype, "attend");
  FLASHLM_ASSERT(keys.cols == queries.head_dim && values.cols == queries.head_dim);
  FLASHLM_ASSERT(keys.rows >= queries.first + queries.n_tokens && values.rows >= queries.first + queries.n_tokens);
  FLASHLM_ASSERT(queries.n_tokens < 2 || queries.stride >= queries.n_heads * queries.head_dim);
  active().attend(queries, keys, values, scale);
}

}  // namespace flashlm::inline v0::kernels
