// SPDX-License-Identifier: Apache-2.0
/// attention.ipp: the bodies of attention.hpp.
#pragma once

#include "flashlm/model/parts/attention.hpp"

#include <algorithm>

#include "flashlm/compute/backend.hpp"
#include "flashlm/model/parts/normalize.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE Attention::Attention(const ModelSpec& spec, Parallel& parallel, Product& product,
                                    std::size_t max_tokens, std::size_t context)
    : parallel_(&parallel),
      product_(&product),
      max_tokens_(max_tokens),
      query_dim_(spec.attention().heads * spec.attention().head_dim),
      kv_dim_(spec.attention().kv_heads * spec.attention().head_dim),
      ropes_(spec, context),
      scratch_(floats(spec, max_tokens) * sizeof(float)) {}

FLASHLM_INLINE std::size_t Attention::bytes(const ModelSpec& spec, std::size_t max_tokens,
                                            std::size_t context) {
  return RopeTables::bytes(spec, context) + floats(spec, max_tokens) * sizeof(float);
}

FLASHLM_INLINE std::size_t Attention::floats(const ModelSpec& spec, std::size_t max_tokens) {
  const AttentionSpec& attention = spec.attention();
  return max_tokens * 2 * (attention.heads + attention.kv_heads) * attention.head_dim;
}

FLASHLM_INLINE void Attention::forward(std::size_t layer, const AttentionSpec& spec,
                                       const AttentionWeights& weights, KvCache& kv,
                                       std::size_t first, std::span<const float> x,
                                       std::size_t n_tokens, std::span<float> y) {
  product_->run(weights.query, x, n_tokens, queries(), weights.query_bias);
  product_->run(weights.value, x, n_tokens, values(), weights.value_bias);
  product_->run(weights.key, x, n_tokens, keys(), weights.key_bias);
  place(layer, spec, weights, kv, first, n_tokens);
  attend(layer, spec, kv, first, n_tokens);
  product_->run(weights.output, mixed(), n_tokens, y, weights.output_bias);
}

FLASHLM_INLINE void Attention::place(std::size_t layer, const AttentionSpec& spec,
                                     const AttentionWeights& weights, KvCache& kv,
                                     std::size_t first, std::size_t n_tokens) {
  constexpr std::size_t kGrainTokens = 16;  // fewer are done before other threads have woken
  const RopeTable* rope = ropes_.of(layer);
  parallel_->for_range(n_tokens, kGrainTokens, [&](std::size_t begin, std::size_t end) {
    for (std::size_t token = begin; token < end; ++token) {
      const std::span<float> key = keys().subspan(token * kv_dim_, kv_dim_);
      turn(queries().subspan(token * query_dim_, query_dim_), spec, spec.q_norm, weights.query_norm,
           rope, first + token);
      turn(key, spec, spec.k_norm, weights.key_norm, rope, first + token);
      kv.write(layer, first + token, key, values().subspan(token * kv_dim_, kv_dim_));
    }
  });
}

FLASHLM_INLINE void Attention::turn(std::span<float> heads, const AttentionSpec& spec,
                                    const std::optional<HeadNormSpec>& norm,
                                    const NormWeights& weights, const RopeTable* rope,
                                    std::size_t position) {
  const auto normed_at = [&](NormPlace place) {
    if (!norm || norm->place != place) return;
    const std::size_t n = norm->over == NormOver::head ? spec.head_dim : heads.size();
    normalize(norm->norm, heads, weights, n, heads);
    if (norm->factor != 1) compute::Backend::scale(heads, norm->factor);
  };
  normed_at(NormPlace::before_rope);
  for (std::size_t at = 0; at < heads.size() && rope != nullptr; at += spec.head_dim) {
    compute::Backend::rope(heads.subspan(at, spec.rope->dims), rope->cosines(position),
                           rope->sines(position));
  }
  normed_at(NormPlace::after_rope);
}

FLASHLM_INLINE void Attention::attend(std::size_t layer, const AttentionSpec& spec,
                                      const KvCache& kv, std::size_t first, std::size_t n_tokens) {
  constexpr std::size_t kRunTokens = 16;
  const std::size_t group = spec.heads / spec.kv_heads;
  const std::size_t n_runs = (n_tokens + kRunTokens - 1) / kRunTokens;
  parallel_->for_range(n_runs * spec.heads, 1, [&](std::size_t begin, std::size_t end) {
    while (begin < end) {
      const std::size_t token = begin / spec.heads * kRunTokens;
      const std::size_t head = begin % spec.heads;
      const std::size_t n_heads = std::min(end - begin, group - head % group);
      const std::size_t run = std::min(kRunTokens, n_tokens - token);
      const std::size_t at = token * query_dim_ + head * spec.head_dim;
      const std::size_t seen = first + token + run;
      compute::Backend::attend({.data = queries().data() + at,
                                .out = mixed().data() + at,
                                .stride = query_dim_,
                                .n_tokens = run,
                                .n_heads = n_heads,
                                .head_dim = spec.head_dim,
                                .first = first + token,
                                .window = spec.window,
                                .softcap = spec.softcap},
                               kv.keys(layer, head / group, seen),
                               kv.values(layer, head / group, seen), spec.scale);
      begin += n_heads;
    }
  });
}

}  // namespace flashlm::inline FLASHLM_ABI::model
