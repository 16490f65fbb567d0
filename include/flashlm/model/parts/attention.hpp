// SPDX-License-Identifier: Apache-2.0
/// attention.hpp: grouped-query attention over the KV cache (Ainslie et al., arXiv:2305.13245).
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/model/graph/spec.hpp"
#include "flashlm/model/graph/weights.hpp"
#include "flashlm/model/kv/kv_cache.hpp"
#include "flashlm/model/parts/product.hpp"
#include "flashlm/model/parts/rope_table.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// The attention of any layer for a batch of new tokens. Holds scratch and angles only. Not
/// thread-safe.
class Attention {
 public:
  /// `parallel` and `product` must outlive this object; batches of up to `max_tokens`, positions
  /// below `context`.
  Attention(const ModelSpec& spec, Parallel& parallel, Product& product, std::size_t max_tokens,
            std::size_t context);

  /// Bytes that an object of that shape holds.
  static std::size_t bytes(const ModelSpec& spec, std::size_t max_tokens, std::size_t context);

  /// y = output(attend(rope(norm(query(x))), rope(norm(key(x))), value(x))), with the norms and
  /// angles that the layer has, and stores the new keys and values.
  ///
  /// x, y [n_tokens, dim], normed input and output; token t has position first + t and sees
  /// positions up to its own. Throws IoError.
  void forward(std::size_t layer, const AttentionSpec& spec, const AttentionWeights& weights,
               KvCache& kv, std::size_t first, std::span<const float> x, std::size_t n_tokens,
               std::span<float> y);

 private:
  static std::size_t floats(const ModelSpec& spec, std::size_t max_tokens);

  std::span<float> part(std::size_t offset, std::size_t n) noexcept {
    return scratch_.as<float>().subspan(offset, n);
  }
  std::span<float> queries() noexcept { return part(0, max_tokens_ * query_dim_); }
  std::span<float> mixed() noexcept {
    return part(max_tokens_ * query_dim_, max_tokens_ * query_dim_);
  }
  std::span<float> keys() noexcept {
    return part(2 * max_tokens_ * query_dim_, max_tokens_ * kv_dim_);
  }
  std::span<float> values() noexcept {
    return part(max_tokens_ * (2 * query_dim_ + kv_dim_), max_tokens_ * kv_dim_);
  }

  /// Norms and turns queries and keys, and stores keys and values. Threads split the tokens.
  void place(std::size_t layer, const AttentionSpec& spec, const AttentionWeights& weights,
             KvCache& kv, std::size_t first, std::size_t n_tokens);

  /// One token's heads, at a position: norm before, rope, norm behind.
  static void turn(std::span<float> heads, const AttentionSpec& spec,
                   const std::optional<HeadNormSpec>& norm, const NormWeights& weights,
                   const RopeTable* rope, std::size_t position);

  /// Threads split heads and runs of tokens; heads that share keys are taken together where a
  /// thread has several.
  void attend(std::size_t layer, const AttentionSpec& spec, const KvCache& kv, std::size_t first,
              std::size_t n_tokens);

  Parallel* parallel_;
  Product* product_;
  std::size_t max_tokens_;
  std::size_t query_dim_;  // heads * head_dim
  std::size_t kv_dim_;     // kv_heads * head_dim
  RopeTables ropes_;
  AlignedBuffer
      scratch_;  // f32: queries, mixed [max_tokens, query_dim]; keys, values [max_tokens, kv_dim]
};

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/parts/attention.ipp"
#endif
