// SPDX-License-Identifier: Apache-2.0
/// layer.hpp: the graph of one layer: attention and feed-forward network, each with its norm and its residual.
#pragma once

#include <cstddef>
#include <span>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/base/parallel.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/kernels/elementwise.hpp"
#include "flashlm/model/attention.hpp"
#include "flashlm/model/config.hpp"
#include "flashlm/model/kv_cache.hpp"
#include "flashlm/model/product.hpp"
#include "flashlm/model/weights.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// Normalizes every row of x [n, dim] into `out` [n, dim].
void normalize(const ModelConfig& config, std::span<const float> x, const NormWeights& norm, std::span<float> out);

/// Runs any layer of a model on a batch of tokens. Holds scratch only, which the layers share. Not thread-safe.
class Layer {
 public:
  /// `parallel` and `product` must outlive this object; batches of up to `max_tokens`, positions below `context`.
  Layer(const ModelConfig& config, Parallel& parallel, Product& product, std::size_t max_tokens, std::size_t context);

  /// Bytes that an object of that shape holds.
  static std::size_t bytes(const ModelConfig& config, std::size_t max_tokens, std::size_t context);

  /// x += attention(norm(x)); x += ffn(norm(x)). Token t of x [n_tokens, dim] has position first + t.
  ///
  /// `ffn` is what computes the feed-forward network of a layer: sparse::StreamedFfn, or another class with its `run`.
  template <class Ffn>
  void run(const LayerWeights& weights, std::size_t layer, Ffn& ffn, KvCache& kv, std::size_t first,
           std::size_t n_tokens, std::span<float> x, Stats& stats) {
    const std::span<float> normed = scratch_.as<float>().first(n_tokens * config_.dim);
    const std::span<float> added = scratch_.as<float>().subspan(max_tokens_ * config_.dim, n_tokens * config_.dim);

    normalize(config_, x, weights.attention_norm, normed);
    attention_.forward(weights, layer, kv, first, normed, n_tokens, added);
    kernels::add(added, x);

    normalize(config_, x, weights.ffn_norm, normed);
    ffn.run(layer, weights.ffn, normed, n_tokens, added, stats);
    for (std::size_t at = 0; at < added.size() && !weights.down_bias.empty(); at += config_.dim) {
      kernels::add(weights.down_bias, added.subspan(at, config_.dim));
    }
    kernels::add(added, x);
  }

 private:
  ModelConfig config_;
  std::size_t max_tokens_;
  Attention attention_;
  AlignedBuffer scratch_;  // f32 [2 (normed, added), max_tokens, dim]
};

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/layer.ipp"
#endif
