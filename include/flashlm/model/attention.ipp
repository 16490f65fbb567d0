// SPDX-License-Identifier: Apache-2.0
/// attention.ipp: the bodies of attention.hpp.
#pragma once

#include "flashlm/model/attention.hpp"

#include <algorithm>
#include <cmath>

#include "flashlm/kernels/attention.hpp"
#include "flashlm/kernels/rope.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE Attention::Attention(const ModelConfig& config, Parallel& parallel, Product& product,
                                    std::size_t max_tokens, std::size_t context)
    : config_(config),
      parallel_(&parallel),
      product_(&product),
      max_tokens_(max_tokens),
      rope_(config.rope, rotary_dim(config), context),
      scratch_(floats(config, max_tokens) * sizeof(float)) {}

FLASHLM_INLINE std::size_t Attention::bytes(const ModelConfig& config, std::size_t max_tokens, std::size_t context) {
  return RopeTable::bytes(rotary_dim(config), context) + floats(config, max_tokens) * sizeof(float);
}

FLASHLM_INLINE void Attention::forward(const LayerWeights& weights, std::size_t layer, KvCache& kv, std::size_t first,
                                       std::span<const float> x, std::size_t n_tokens, std::span<float> y) {
  product_->run(weights.query, x, n_tokens, queries(), weights.query_bias);
  product_->run(weights.value, x, n_tokens, values(), weights.value_bias);
  product_->run(weights.key, x, n_tokens, keys(), weights.key_bias);
  rotate_and_store(layer, kv, first, n_tokens);
  attend(layer, kv, first, n_tokens);
  product_->run(weights.output, mixed(), n_tokens, y, weights.output_bias);
}

FLASHLM_INLINE std::size_t Attention::rotary_dim(const ModelConfig& config) noexcept {
  return config.position == PositionKind::rotary ? config.head_dim : 0;
}

FLASHLM_INLINE std::size_t Attention::floats(const ModelConfig& config, std::size_t max_tokens) {
  return max_tokens * 2 * (config.n_heads + config.n_kv_heads) * config.head_dim;
}

FLASHLM_INLINE std::span<float> Attention::values() noexcept {
  return part(max_tokens_ * (2 * query_dim() + kv_dim()), max_tokens_ * kv_dim());
}

FLASHLM_INLINE void Attention::rotate_and_store(std::size_t layer, KvCache& kv, std::size_t first,
                                                std::size_t n_tokens) {
  for (std::size_t token = 0; token < n_tokens; ++token) {
    const std::span<float> key = keys().subspan(token * kv_dim(), kv_dim());
    if (config_.position == PositionKind::rotary) {
      rotate(queries().subspan(token * query_dim(), query_dim()), first + token);
      rotate(key, first + token);
    }
    kv.write(layer, first + token, key, values().subspan(token * kv_dim(), kv_dim()));
  }
}

FLASHLM_INLINE void Attention::rotate(std::span<float> heads, std::size_t position) {
  for (std::size_t at = 0; at < heads.size(); at += config_.head_dim) {
    kernels::rope(heads.subspan(at, config_.head_dim), rope_.cosines(position), rope_.sines(position));
  }
}

FLASHLM_INLINE void Attention::attend(std::size_t layer, const KvCache& kv, std::size_t first, std::size_t n_tokens) {
  constexpr std::size_t kRunTokens = 16;
  const std::size_t head_dim = config_.head_dim;
  const std::size_t group = config_.n_heads / config_.n_kv_heads;
  const float scale = static_cast<float>(1 / std::sqrt(static_cast<double>(head_dim)));
  const std::size_t n_runs = (n_tokens + kRunTokens - 1) / kRunTokens;
  parallel_->for_range(n_runs * config_.n_heads, 1, [&](std::size_t begin, std::size_t end) {
    while (begin < end) {
      const std::size_t token = begin / config_.n_heads * kRunTokens;
      const std::size_t head = begin % config_.n_heads;
      const std::size_t n_heads = std::min(end - begin, group - head % group);
      const std::size_t run = std::min(kRunTokens, n_tokens - token);
      const std::size_t at = token * query_dim() + head * head_dim;
      const std::size_t seen = first + token + run;
      kernels::attend({.data = queries().data() + at,
                       .out = mixed().data() + at,
                       .stride = query_dim(),
                       .n_tokens = run,
                       .n_heads = n_heads,
                       .head_dim = head_dim,
                       .first = first + token},
                      kv.keys(layer, head / group, seen), kv.values(layer, head / group, seen), scale);
      begin += n_heads;
    }
  });
}

}  // namespace flashlm::inline FLASHLM_ABI::model
