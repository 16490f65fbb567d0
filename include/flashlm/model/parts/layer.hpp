// SPDX-License-Identifier: Apache-2.0
/// layer.hpp: one layer of the graph: its parts, their norms, and what they add to the residual
/// stream.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/model/graph/spec.hpp"
#include "flashlm/model/graph/weights.hpp"
#include "flashlm/model/kv/kv_cache.hpp"
#include "flashlm/model/parts/attention.hpp"
#include "flashlm/model/parts/product.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// Runs any layer of a model on a batch of tokens. Holds scratch only, which the layers share. Not
/// thread-safe.
class Layer {
 public:
  /// `parallel` and `product` must outlive this object; batches of up to `max_tokens`, positions
  /// below `context`.
  Layer(const ModelSpec& spec, Parallel& parallel, Product& product, std::size_t max_tokens,
        std::size_t context);

  /// Bytes that an object of that shape holds.
  static std::size_t bytes(const ModelSpec& spec, std::size_t max_tokens, std::size_t context);

  /// x += group(x), group after group; a group is the sum of its parts, a part
  /// after(does(before(x))).
  ///
  /// Token t of x [n_tokens, dim] has position first + t. `ffn` is what computes the feed-forward
  /// network of a layer: DenseFfn, or another class with its `run`.
  template <class Ffn>
  void run(std::size_t index, const LayerSpec& spec, const LayerWeights& weights, Ffn& ffn,
           KvCache& kv, std::size_t first, std::size_t n_tokens, std::span<float> x, Stats& stats) {
    for (std::size_t at = 0; at < spec.parts.size(); ++at) {
      const PartSpec& part = spec.parts[at];
      const PartWeights& mine = weights.parts[at];
      const bool begins = at == 0 || spec.parts[at - 1].group != part.group;
      const bool ends = at + 1 == spec.parts.size() || spec.parts[at + 1].group != part.group;
      const std::span<const float> input = read(spec, weights, at, x);
      const std::span<float> output = buffer(begins ? Buffer::sum : Buffer::part, x.size());
      switch (part.does) {
        case PartKind::attention:
          attention_.forward(index, part.attention, mine.attention, kv, first, input, n_tokens,
                             output);
          break;
        case PartKind::ffn:
          ffn.run(index, mine.ffn.parameters, input, n_tokens, output, stats);
          add_bias(mine.ffn.down_bias, output);
          break;
        case PartKind::experts:
        case PartKind::cross:
        case PartKind::delta:
        case PartKind::convolution:
        case PartKind::state_space: break;  // require_runs lets none through
      }
      finish(part, mine, output, !begins);
      if (ends) add_group(spec.group_after[part.group], weights.group_after[part.group], x);
    }
    scale_output(weights, x);
  }

 private:
  enum class Buffer : std::size_t { normed, sum, part };

  /// Three with a group of several parts, else two.
  static std::size_t n_buffers(const ModelSpec& spec);

  std::span<float> buffer(Buffer index, std::size_t n) noexcept;

  /// What part `at` reads: the residual stream, or its norm.
  std::span<const float> read(const LayerSpec& spec, const LayerWeights& weights, std::size_t at,
                              std::span<const float> x);

  static void add_bias(std::span<const float> bias, std::span<float> rows);

  /// The norm and the factor behind a part; adds it to the sum of its group where it is not the
  /// first.
  void finish(const PartSpec& part, const PartWeights& weights, std::span<float> output, bool adds);

  /// x += the sum of a group, behind its norm.
  void add_group(const std::optional<NormSpec>& norm, const NormWeights& weights,
                 std::span<float> x);

  static void scale_output(const LayerWeights& weights, std::span<float> x);

  std::size_t dim_;
  std::size_t max_tokens_;
  Attention attention_;
  AlignedBuffer scratch_;  // f32 [n_buffers, max_tokens, dim]
};

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/parts/layer.ipp"
#endif
