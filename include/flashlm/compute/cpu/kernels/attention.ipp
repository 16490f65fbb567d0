// SPDX-License-Identifier: Apache-2.0
/// attention.ipp: the bodies of attention.hpp.
#pragma once

#include "flashlm/compute/cpu/kernels/attention.hpp"

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

FLASHLM_INLINE void attend(const Queries& queries, const MatrixView& keys, const MatrixView& values,
                           float scale) {
  detail::require_f32_or_f16(keys.dtype, "attend");
  detail::require_f32_or_f16(values.dtype, "attend");
  FLASHLM_ASSERT(keys.cols == queries.head_dim && values.cols == queries.head_dim);
  FLASHLM_ASSERT(keys.rows >= queries.first + queries.n_tokens &&
                 values.rows >= queries.first + queries.n_tokens);
  FLASHLM_ASSERT(queries.n_tokens < 2 || queries.stride >= queries.n_heads * queries.head_dim);
  active().attend(queries, keys, values, scale);
}

}  // namespace flashlm::inline FLASHLM_ABI::kernels
