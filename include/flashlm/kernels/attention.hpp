// SPDX-License-Identifier: Apache-2.0
/// attention.hpp: one query head over the keys and values it may see (arXiv:1706.03762, equation 1).
#pragma once

#include <cstddef>
#include <span>

#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/kernels/dispatch.hpp"

namespace flashlm::inline v0::kernels {

/// out = sum over i of softmax(scale * dot(keys[i], query))[i] * values[i].
///
/// query and out [head_dim], keys and values [n, head_dim] in f32 or f16, scores is scratch of at least n, and holds
/// the probabilities afterwards. Built from the dot of matmul and the sum of neuron_sum: the bits depend on the n keys
/// and values only. n = 0 makes out zero.
/// Throws ArgumentError for another number format. Allocates nothing. Thread-safe.
inline void attend(std::span<const float> query, const MatrixView& keys, const MatrixView& values, float scale,
                   std::span<float> scores, std::span<float> out) {
  detail::require_f32_or_f16(keys.dtype, "attend");
  detail::require_f32_or_f16(values.dtype, "attend");
  FLASHLM_ASSERT(keys.cols == query.size() && values.cols == out.size());
  FLASHLM_ASSERT(values.rows == keys.rows && scores.size() >= keys.rows);
  active().attend(query.data(), keys, values, scale, scores.data(), out.data());
}

}  // namespace flashlm::inline v0::kernels
