// SPDX-License-Identifier: Apache-2.0
/// threshold_selector.ipp: the bodies of threshold_selector.hpp.
#pragma once

#include "flashlm/units/select/threshold_selector.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/compute/backend.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_ONCE ThresholdSelector::ThresholdSelector(SelectorFile file, std::size_t dim,
                                                  std::span<const std::size_t> neurons)
    : file_(std::move(file)), dim_(dim) {
  static constexpr std::string_view kParts[] = {"gate", "threshold"};
  file_.expect_tensors(neurons.size(), kParts);
  for (std::size_t index = 0; index < neurons.size(); ++index) {
    const std::string prefix = concat("layers.", index, ".");
    const float threshold = file_.floats(prefix + "threshold", {1})[0];
    if (std::isnan(threshold))
      file_.fail("threshold: expected a number, got NaN", prefix + "threshold");
    layers_.push_back({file_.matrix(prefix + "gate", neurons[index], dim), threshold});
  }
}

FLASHLM_INLINE std::size_t ThresholdSelector::scratch_bytes(std::size_t max_tokens,
                                                            int n_threads) noexcept {
  return ActiveSets::kWordNeurons * static_cast<std::size_t>(n_threads) * max_tokens *
         sizeof(float);
}

FLASHLM_INLINE void ThresholdSelector::select(std::size_t index, std::size_t n_neurons,
                                              std::span<const float> x, std::size_t n_tokens,
                                              Parallel& parallel, std::span<float> scratch,
                                              ActiveSets& sets) const {
  const Layer& layer = layers_[index];
  constexpr std::size_t kWord = ActiveSets::kWordNeurons;
  FLASHLM_ASSERT(scratch.size_bytes() >= scratch_bytes(n_tokens, parallel.n_threads()));
  parallel.for_threads(
      n_neurons, kWord, [&](std::size_t thread, std::size_t begin, std::size_t end) {
        float* gates = scratch.data() + thread * kWord * n_tokens;
        for (std::size_t at = begin; at < end; at += kWord) {
          const std::size_t n = std::min(kWord, end - at);
          compute::Backend::product(layer.gate.slice(at, n), x.data(), dim_, n_tokens, gates,
                                    kWord);
          for (std::size_t token = 0; token < n_tokens; ++token) {
            const std::span<float> row(gates + token * kWord, n);
            compute::Backend::activate(kernels::Activation::silu, 0, row);
            ActiveSets::Word word = 0;
            for (std::size_t i = 0; i < n; ++i) {
              word |= ActiveSets::Word{!(std::abs(row[i]) <= layer.threshold)} << i;
            }
            sets.word(token, at / kWord) = word;
          }
        }
      });
}

}  // namespace flashlm::inline FLASHLM_ABI::units
