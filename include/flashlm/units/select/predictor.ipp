// SPDX-License-Identifier: Apache-2.0
/// predictor.ipp: the bodies of predictor.hpp.
#pragma once

#include "flashlm/units/select/predictor.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/compute/backend.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_ONCE Predictor::Predictor(SelectorFile file, std::size_t dim,
                                  std::span<const std::size_t> neurons)
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
      if (std::isnan(layer.threshold))
        file_.fail("threshold: expected a number, got NaN", prefix + "threshold");
      largest_rank_ = std::max(largest_rank_, rank);
    }
    layers_.push_back(layer);
  }
}

FLASHLM_INLINE std::size_t Predictor::scratch_bytes(std::size_t rank, std::size_t max_tokens,
                                                    int n_threads) noexcept {
  return (rank + ActiveSets::kWordNeurons * static_cast<std::size_t>(n_threads)) * max_tokens *
         sizeof(float);
}

FLASHLM_INLINE void Predictor::select(std::size_t index, std::size_t n_neurons,
                                      std::span<const float> x, std::size_t n_tokens,
                                      Parallel& parallel, std::span<float> scratch,
                                      ActiveSets& sets) const {
  const Layer& layer = layers_[index];
  const std::size_t rank = layer.a.rows;
  constexpr std::size_t kWord = ActiveSets::kWordNeurons;
  float* inner = scratch.data();
  float* blocks = inner + largest_rank_ * n_tokens;
  FLASHLM_ASSERT(scratch.size_bytes() >=
                 scratch_bytes(largest_rank_, n_tokens, parallel.n_threads()));
  parallel.for_range(rank, kRankGrain, [&](std::size_t begin, std::size_t end) {
    compute::Backend::product(layer.a.slice(begin, end - begin), x.data(), dim_, n_tokens,
                              inner + begin, rank);
  });
  parallel.for_threads(
      n_neurons, kWord, [&](std::size_t thread, std::size_t begin, std::size_t end) {
        float* logits = blocks + thread * kWord * n_tokens;
        for (std::size_t at = begin; at < end; at += kWord) {
          const std::size_t n = std::min(kWord, end - at);
          if (rank != 0)
            compute::Backend::product(layer.b.slice(at, n), inner, rank, n_tokens, logits, kWord);
          for (std::size_t token = 0; token < n_tokens; ++token) {
            ActiveSets::Word word = 0;
            for (std::size_t i = 0; i < n; ++i) {
              const bool active =
                  rank == 0 || !(logits[token * kWord + i] + layer.bias[at + i] <= layer.threshold);
              word |= ActiveSets::Word{active} << i;
            }
            sets.word(token, at / kWord) = word;
          }
        }
      });
}

}  // namespace flashlm::inline FLASHLM_ABI::units
