// SPDX-License-Identifier: Apache-2.0
/// predictor.hpp: a low-rank guess at which neurons will fire (arXiv:2312.11514, section 3.1).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/parallel.hpp"
#include "flashlm/kernels/matmul.hpp"
#include "flashlm/sparse/active_sets.hpp"
#include "flashlm/sparse/selector_file.hpp"

namespace flashlm::inline v0::sparse {

/// One predictor a layer: logits = B (A x) + bias, and a neuron is active where its logit is above the threshold.
///
/// x is this layer's attention output, as the feed-forward network gets it: normed, with the residual in it. A is
/// [rank, dim], B [n_neurons, rank]. A layer without one (rank 0) takes every neuron, as does a threshold of -infinity.
/// The sigmoid of the paper is left out: a probability p is the logit log(p / (1 - p)). A logit that is not a number
/// selects. Immutable after construction; `select` has scratch of the caller's. Thread-compatible.
class Predictor {
 public:
  static constexpr std::string_view kName = "predictor";
  static constexpr const char* kFormat = "flashlm predictor";
  static constexpr const char* kFileName = "predictor.safetensors";

  /// Takes a file that is loaded. neurons [n_layers]: how many each layer has.
  ///
  /// Throws FormatError for a predictor of another shape, and for thresholds that are NaN.
  Predictor(SelectorFile file, std::size_t dim, std::span<const std::size_t> neurons)
      : file_(std::move(file)), dim_(dim) {
    static constexpr std::string_view kParts[] = {"a", "b", "bias", "threshold"};
    file_.expect_tensors(neurons.size(), kParts);
    for (std::size_t index = 0; index < neurons.size(); ++index) {
      const std::string prefix = concat("layers.", index, ".");
      Layer layer;
      if (file_.has(prefix + "a")) {
        const std::size_t rank = file_.shape(prefix + "a").first;
        layer.a = file_.matrix(prefix + "a", rank, dim);
        layer.b = file_.matrix(prefix + "b", neurons[index], rank);
        layer.bias = file_.floats(prefix + "bias", {neurons[index]});
        layer.threshold = file_.floats(prefix + "threshold", {1})[0];
        if (std::isnan(layer.threshold)) file_.fail("threshold: expected a number, got NaN", prefix + "threshold");
        largest_rank_ = std::max(largest_rank_, rank);
      }
      layers_.push_back(layer);
    }
  }

  std::size_t bytes() const noexcept { return file_.bytes(); }
  std::size_t rank(std::size_t layer) const noexcept { return layers_[layer].a.rows; }
  float threshold(std::size_t layer) const noexcept { return layers_[layer].threshold; }

  /// Bytes of scratch for a batch, with layers of at most that rank.
  static std::size_t scratch_bytes(std::size_t rank, std::size_t max_tokens, int n_threads) noexcept {
    return (rank + ActiveSets::kWordNeurons * static_cast<std::size_t>(n_threads)) * max_tokens * sizeof(float);
  }

  /// Fills the sets of all tokens of x [n_tokens, dim]. A token's set does not depend on the others.
  void select(std::size_t index, std::size_t n_neurons, std::span<const float> x, std::size_t n_tokens,
              Parallel& parallel, std::span<float> scratch, ActiveSets& sets) const {
    const Layer& layer = layers_[index];
    const std::size_t rank = layer.a.rows;
    constexpr std::size_t kWord = ActiveSets::kWordNeurons;
    float* inner = scratch.data();
    float* blocks = inner + largest_rank_ * n_tokens;
    FLASHLM_ASSERT(scratch.size_bytes() >= scratch_bytes(largest_rank_, n_tokens, parallel.n_threads()));
    parallel.for_range(rank, kRankGrain, [&](std::size_t begin, std::size_t end) {
      kernels::matmul(layer.a.slice(begin, end - begin), x.data(), dim_, n_tokens, inner + begin, rank);
    });
    parallel.for_threads(n_neurons, kWord, [&](std::size_t thread, std::size_t begin, std::size_t end) {
      float* logits = blocks + thread * kWord * n_tokens;
      for (std::size_t at = begin; at < end; at += kWord) {
        const std::size_t n = std::min(kWord, end - at);
        if (rank != 0) kernels::matmul(layer.b.slice(at, n), inner, rank, n_tokens, logits, kWord);
        for (std::size_t token = 0; token < n_tokens; ++token) {
          ActiveSets::Word word = 0;
          for (std::size_t i = 0; i < n; ++i) {
            const bool active = rank == 0 || !(logits[token * kWord + i] + layer.bias[at + i] <= layer.threshold);
            word |= ActiveSets::Word{active} << i;
          }
          sets.word(token, at / kWord) = word;
        }
      }
    });
  }

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

}  // namespace flashlm::inline v0::sparse
