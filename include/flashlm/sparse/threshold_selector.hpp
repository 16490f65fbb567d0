// SPDX-License-Identifier: Apache-2.0
/// threshold_selector.hpp: leaves out neurons whose gate is small (CATS, arXiv:2404.08763). Lossy.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/parallel.hpp"
#include "flashlm/kernels/activation.hpp"
#include "flashlm/kernels/matmul.hpp"
#include "flashlm/sparse/active_sets.hpp"
#include "flashlm/sparse/selector_file.hpp"

namespace flashlm::inline v0::sparse {

/// For gated networks with silu, none of whose neurons is ever exactly zero: a neuron is active where |silu(q . x)| is
/// above its layer's threshold, q being a q8_0 copy of its gate row that stays in DRAM.
///
/// The result is not dense's: thresholds are calibrated for a share of neurons to leave out, and what that costs has to
/// be measured. A value that is not a number selects. Immutable. Thread-compatible.
class ThresholdSelector {
 public:
  static constexpr std::string_view kName = "threshold";
  static constexpr const char* kFormat = "flashlm thresholds";
  static constexpr const char* kFileName = "thresholds.safetensors";

  /// Takes a file that is loaded. neurons [n_layers]: how many each layer has. Throws FormatError for another shape,
  /// and for thresholds that are NaN.
  ThresholdSelector(SelectorFile file, std::size_t dim, std::span<const std::size_t> neurons)
      : file_(std::move(file)), dim_(dim) {
    static constexpr std::string_view kParts[] = {"gate", "threshold"};
    file_.expect_tensors(neurons.size(), kParts);
    for (std::size_t index = 0; index < neurons.size(); ++index) {
      const std::string prefix = concat("layers.", index, ".");
      const float threshold = file_.floats(prefix + "threshold", {1})[0];
      if (std::isnan(threshold)) file_.fail("threshold: expected a number, got NaN", prefix + "threshold");
      layers_.push_back({file_.matrix(prefix + "gate", neurons[index], dim), threshold});
    }
  }

  std::size_t bytes() const noexcept { return file_.bytes(); }

  /// Bytes of scratch for a batch.
  static std::size_t scratch_bytes(std::size_t max_tokens, int n_threads) noexcept {
    return ActiveSets::kWordNeurons * static_cast<std::size_t>(n_threads) * max_tokens * sizeof(float);
  }

  /// Fills the sets of all tokens of x [n_tokens, dim]. A token's set does not depend on the others.
  void select(std::size_t index, std::size_t n_neurons, std::span<const float> x, std::size_t n_tokens,
              Parallel& parallel, std::span<float> scratch, ActiveSets& sets) const {
    const Layer& layer = layers_[index];
    constexpr std::size_t kWord = ActiveSets::kWordNeurons;
    FLASHLM_ASSERT(scratch.size_bytes() >= scratch_bytes(n_tokens, parallel.n_threads()));
    parallel.for_threads(n_neurons, kWord, [&](std::size_t thread, std::size_t begin, std::size_t end) {
      float* gates = scratch.data() + thread * kWord * n_tokens;
      for (std::size_t at = begin; at < end; at += kWord) {
        const std::size_t n = std::min(kWord, end - at);
        kernels::matmul(layer.gate.slice(at, n), x.data(), dim_, n_tokens, gates, kWord);
        for (std::size_t token = 0; token < n_tokens; ++token) {
          const std::span<float> row(gates + token * kWord, n);
          float ones[kWord];
          std::fill_n(ones, n, 1.0f);
          kernels::silu_mul(row, {ones, n}, row);
          ActiveSets::Word word = 0;
          for (std::size_t i = 0; i < n; ++i) {
            word |= ActiveSets::Word{!(std::abs(row[i]) <= layer.threshold)} << i;
          }
          sets.word(token, at / kWord) = word;
        }
      }
    });
  }

 private:
  struct Layer {
    MatrixView gate;  // [n_neurons, dim]
    float threshold;
  };

  SelectorFile file_;
  std::size_t dim_;
  std::vector<Layer> layers_;  // [n_layers]
};

}  // namespace flashlm::inline v0::sparse
