// SPDX-License-Identifier: Apache-2.0
/// pass.hpp: the graph of a step: one pass of a batch of tokens over all weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/model/graph/model.hpp"
#include "flashlm/model/kv/kv_cache.hpp"
#include "flashlm/model/parts/dense_ffn.hpp"
#include "flashlm/model/parts/embedding.hpp"
#include "flashlm/model/parts/layer.hpp"
#include "flashlm/model/parts/product.hpp"
#include "flashlm/model/plan/engine_options.hpp"
#include "flashlm/model/plan/memory_plan.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/stream/weight_stream.hpp"
#include "flashlm/units/ffn/selective_ffn.hpp"
#include "flashlm/units/ffn/streamed_ffn.hpp"
#include "flashlm/units/select/activation_tap.hpp"
#include "flashlm/units/select/selector.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// Owns the weights that are in DRAM, what brings the others, and the scratch of a step.
///
/// `run` allocates nothing. Not thread-safe.
class Pass {
 public:
  /// Takes memory as `plan` says and reads nothing but what the selector needs. All must outlive
  /// this object.
  Pass(const Model& model, const EngineOptions& options, const MemoryPlan& plan,
       storage::Reader& reader, Parallel& parallel);

  /// Reads the weights that stay in DRAM, and takes the rows of single neurons. Throws IoError,
  /// FormatError, and what on_progress(done, total) throws.
  void load(const std::function<void(std::size_t, std::size_t)>& on_progress);

  /// Computes tokens at positions first, first + 1, ... and stores their keys and values; logits
  /// [m, vocab_size] are those of the last m tokens, of which there may be none.
  ///
  /// Adds what neurons took to `stats`. Throws IoError, and what a hook throws; the next pass then
  /// begins anew.
  void run(KvCache& kv, std::size_t first, std::span<const Token> tokens, std::span<float> logits,
           Stats& stats);

  /// Shows the activations of every layer to `observer`, as Engine::observe. The dense selector
  /// only.
  void observe(units::ActivationTap::Observer observer);

  /// Between two passes: gives back what `plan` does not hold any more. Throws what a hook of the
  /// reader throws.
  void shrink(const MemoryPlan& plan);

  bool is_selective() const noexcept { return n_rows_ != 0; }
  /// Seconds that passes stood still for weights and embeddings, since construction.
  double waited_seconds() const noexcept {
    return stream_.waited_seconds() + embedding_.waited_seconds();
  }
  /// Bytes of these that were read for alignment only, since construction.
  std::uint64_t gap_bytes() const noexcept { return stream_.gap_bytes() + embedding_.gap_bytes(); }

 private:
  static constexpr double kCheckInSeconds = 0.1;  // between two calls of on_wait

  const ModelSpec& spec() const noexcept { return model_->spec(); }

  std::unique_ptr<units::SelectiveFfn> make_selective() const;

  /// Calls body(network) with what computes the feed-forward networks.
  template <class Body>
  void with_ffn(Body&& body) {
    if (selective_) return body(*selective_);
    dense_ ? body(*dense_) : body(*streamed_);
  }

  std::span<float> activations(std::size_t index, std::size_t n_tokens) noexcept;

  /// Between two layers: lets the caller stop the step.
  void check_in();

  /// x [n_tokens, dim] = the embeddings of the tokens, scaled, plus those of their positions where
  /// the graph has them.
  void embed(std::span<const Token> tokens, std::size_t first, std::span<float> x);

  /// x = the layer's output, of its input x.
  void run_layer(std::size_t index, KvCache& kv, std::size_t first, std::size_t n_tokens,
                 std::span<float> x, Stats& stats);

  /// logits [n, vocab_size] of the last n tokens of x.
  void read_logits(std::span<const float> x, std::span<float> logits);

  const Model* model_;
  const EngineOptions* options_;
  storage::Reader* reader_;
  Parallel* parallel_;
  std::size_t n_rows_;  // of single neurons; 0 for the dense selector
  stream::WeightStream stream_;
  Embedding embedding_;
  Product product_;
  std::optional<DenseFfn> dense_;               // where networks are matrices
  std::optional<units::StreamedFfn> streamed_;  // where they are bundles
  units::Selector selector_;
  std::unique_ptr<units::SelectiveFfn> selective_;  // null for the dense selector
  Layer layer_;
  AlignedBuffer activations_;  // f32 [2 (x, normed), max_batch, dim]
  double next_check_in_ = 0;
};

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/pass.ipp"
#endif
