// SPDX-License-Identifier: Apache-2.0
/// predictor.hpp: a low-rank guess at which neurons will fire (arXiv:2312.11514, section 3.1).
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "flashlm/base/matrix_view.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/units/select/active_sets.hpp"
#include "flashlm/units/select/selector_file.hpp"
#include "flashlm/units/select/selector_kind.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// One predictor a layer: logits = B (A x) + bias, and a neuron is active where its logit is above
/// the threshold.
///
/// x is this layer's attention output, as the feed-forward network gets it: normed, with the
/// residual in it. A is [rank, dim], B [n_neurons, rank]. A layer without one (rank 0) takes every
/// neuron, as does a threshold of -infinity. The sigmoid of the paper is left out: a probability p
/// is the logit log(p / (1 - p)). A logit that is not a number selects. Immutable after
/// construction; `select` has scratch of the caller's. Thread-compatible.
class Predictor {
 public:
  static constexpr SelectorKind kKind = SelectorKind::predictor;
  static constexpr const char* kFormat = "flashlm predictor";
  static constexpr const char* kFileName = "predictor.safetensors";

  /// Takes a file that is loaded. neurons [n_layers]: how many each layer has.
  ///
  /// Throws FormatError for a predictor of another shape, and for thresholds that are NaN.
  Predictor(SelectorFile file, std::size_t dim, std::span<const std::size_t> neurons);

  std::size_t bytes() const noexcept { return file_.bytes(); }
  std::size_t rank(std::size_t layer) const noexcept { return layers_[layer].a.rows; }
  float threshold(std::size_t layer) const noexcept { return layers_[layer].threshold; }

  /// Bytes of scratch for a batch, with layers of at most that rank.
  static std::size_t scratch_bytes(std::size_t rank, std::size_t max_tokens,
                                   int n_threads) noexcept;

  /// Fills the sets of all tokens of x [n_tokens, dim]. A token's set does not depend on the
  /// others.
  void select(std::size_t index, std::size_t n_neurons, std::span<const float> x,
              std::size_t n_tokens, Parallel& parallel, std::span<float> scratch,
              ActiveSets& sets) const;

 private:
  static constexpr std::size_t kRankGrain = 16;

  struct Layer {
    MatrixView a;                 // [rank, dim]
    MatrixView b;                 // [n_neurons, rank]
    std::span<const float> bias;  // [n_neurons]
    float threshold = 0;
  };

  SelectorFile file_;
  std::size_t dim_;
  std::size_t largest_rank_ = 0;
  std::vector<Layer> layers_;  // [n_layers]
};

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/select/predictor.ipp"
#endif
