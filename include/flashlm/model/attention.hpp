// SPDX-License-Identifier: Apache-2.0
/// attention.hpp: grouped-query attention over the KV cache (Ainslie et al., arXiv:2305.13245).
#pragma once

#include <cstddef>
#include <span>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/base/parallel.hpp"
#include "flashlm/model/config.hpp"
#include "flashlm/model/kv_cache.hpp"
#include "flashlm/model/product.hpp"
#include "flashlm/model/rope_table.hpp"
#include "flashlm/model/weights.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// One layer's attention for a batch of new tokens. Holds scratch only. Not thread-safe.
class Attention {
 public:
  /// `parallel` and `product` must outlive this object; batches of up to `max_tokens`, positions below `context`.
  Attention(const ModelConfig& config, Parallel& parallel, Product& product, std::size_t max_tokens,
            std::size_t context);

  /// Bytes that an object of that shape holds.
  static std::size_t bytes(const ModelConfig& config, std::size_t max_tokens, std::size_t context);

  /// y = output(attend(rope(query(x)), rope(key(x)), value(x))), and stores the new keys and values. Learned positions
  /// are in x already: no rope then.
  ///
  /// x, y [n_tokens, dim], normed input and output; token t has position first + t and sees positions up to its own.
  /// Throws IoError.
  void forward(const LayerWeights& weights, std::size_t layer, KvCache& kv, std::size_t first, std::span<const float> x,
               std::size_t n_tokens, std::span<float> y);

 private:
  std::size_t query_dim() const noexcept { return config_.n_heads * config_.head_dim; }
  std::size_t kv_dim() const noexcept { return config_.n_kv_heads * config_.head_dim; }

  static std::size_t rotary_dim(const ModelConfig& config) noexcept;

  static std::size_t floats(const ModelConfig& config, std::size_t max_tokens);

  std::span<float> part(std::size_t offset, std::size_t n) noexcept { return scratch_.as<float>().subspan(offset, n); }
  std::span<float> queries() noexcept { return part(0, max_tokens_ * query_dim()); }
  std::span<float> mixed() noexcept { return part(max_tokens_ * query_dim(), max_tokens_ * query_dim()); }
  std::span<float> keys() noexcept { return part(2 * max_tokens_ * query_dim(), max_tokens_ * kv_dim()); }
  std::span<float> values() noexcept;

  void rotate_and_store(std::size_t layer, KvCache& kv, std::size_t first, std::size_t n_tokens);

  /// Turns every head of `heads` to a position.
  void rotate(std::span<float> heads, std::size_t position);

  /// Threads split heads and runs of tokens; heads that share keys are taken together where a thread has several.
  void attend(std::size_t layer, const KvCache& kv, std::size_t first, std::size_t n_tokens);

  ModelConfig config_;
  Parallel* parallel_;
  Product* product_;
  std::size_t max_tokens_;
  RopeTable rope_;
  AlignedBuffer scratch_;  // f32: queries, mixed [max_tokens, n_heads * head_dim]; keys, values [max_tokens,
                           // n_kv_heads * head_dim]
};

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/attention.ipp"
#endif
