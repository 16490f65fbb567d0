// SPDX-License-Identifier: Apache-2.0
/// gate_selector.hpp: finds every neuron that can fire, by a copy of the gate in fewer bits and a bound on its error.
///
/// A neuron of the ReLU family fires where v = w . x + bias reaches a threshold t; w is its gate row, or its up row
/// without a gate. The selector knows q, a q8_0 copy of w, and selects where the copy's value plus everything that can
/// separate it from the value of the full-precision kernel is not below t. Then no neuron that fires is left out, and
/// the output is that of the dense selector, bit for bit. With e = w - q, all of this holds at once:
///
///     |e . x| <= r * sum over blocks b of d_b * sum over k in b of |x_k|      r = max over k of |e_k| / d_b, about 1/2
///     |e . x| <= |e| |x|                                                     Cauchy and Schwarz; norms of two
///     a dot of K products in float, in any order, is off by at most g * sum |w_k x_k| <= g |w| |x|,
///         g = K u / (1 - K u), u = 2^-24 (Higham, Accuracy and Stability, 3.5), and by K 2^-149 where products vanish
///
/// so |kernel(w . x) - kernel(q . x)| <= min(first, second) + g (|w| + |q|) |x| + K 2^-148. Adding the bias rounds once
/// more. The bound is computed in double and then made larger by 2^-16 of itself, which covers its own roundings.
/// Where |w| |x| comes near the end of float, partial sums may overflow: such a neuron is selected.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <span>
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

/// Selects conservatively, for activations that are zero below a threshold. Immutable. Thread-compatible.
class GateSelector {
 public:
  static constexpr std::string_view kName = "gate";
  static constexpr const char* kFormat = "flashlm gates";
  static constexpr const char* kFileName = "gates.safetensors";

  /// What is known of a row beside its copy: three floats, each rounded up.
  struct RowFacts {
    float error_ratio;  // max of |w_k - q_k| / d of k's block
    float error_norm;   // |w - q|
    float norms;        // |w| + |q|
  };

  /// What a neuron's value must reach: biases [n_neurons] of the selecting rows, or empty.
  struct Firing {
    std::span<const float> bias{};
    float threshold = 0;
  };

  /// Takes a file that is loaded. neurons [n_layers]: how many each layer has. Throws FormatError for another shape.
  GateSelector(SelectorFile file, std::size_t dim, std::span<const std::size_t> neurons)
      : file_(std::move(file)), dim_(dim) {
    static constexpr std::string_view kParts[] = {"gate", "facts"};
    file_.expect_tensors(neurons.size(), kParts);
    for (std::size_t index = 0; index < neurons.size(); ++index) {
      const std::string prefix = concat("layers.", index, ".");
      layers_.push_back({file_.matrix(prefix + "gate", neurons[index], dim),
                         {},
                         file_.raw(prefix + "facts", neurons[index], sizeof(RowFacts))});
      if (layers_.back().gate.dtype != DType::q8_0) file_.fail("dtype: expected q8_0 in U8", prefix + "gate");
    }
    scales_ = AlignedBuffer(scale_bytes(dim, neurons));
    std::byte* scales = scales_.data();
    for (Layer& layer : layers_) {
      layer.scales = MatrixView::dense(scales, DType::f16, layer.gate.rows, n_blocks());
      for (std::size_t block = 0; block < layer.gate.rows * n_blocks(); ++block, scales += sizeof(std::uint16_t)) {
        std::memcpy(scales, layer.gate.data + block * row_bytes(DType::q8_0, kBlockNumbers), sizeof(std::uint16_t));
        scales[1] &= std::byte{0x7f};  // without the sign; numbers are little-endian
      }
    }
  }

  /// Bytes that a selector of such a file holds.
  static std::size_t bytes(const SelectorFile& file, std::size_t dim, std::span<const std::size_t> neurons) noexcept {
    return file.bytes() + scale_bytes(dim, neurons);
  }

  /// Bytes of scratch for a batch.
  static std::size_t scratch_bytes(std::size_t dim, std::size_t max_tokens, int n_threads) noexcept {
    const std::size_t words = 2 * ActiveSets::kWordNeurons * static_cast<std::size_t>(n_threads);
    return (dim / kBlockNumbers + 2 + words) * max_tokens * sizeof(float);
  }

  /// Fills the sets of all tokens of x [n_tokens, dim]. What a token does not get does not fire.
  void select(std::size_t index, std::size_t n_neurons, const Firing& firing, std::span<const float> x,
              std::size_t n_tokens, Parallel& parallel, std::span<float> scratch, ActiveSets& sets) const {
    const Layer& layer = layers_[index];
    constexpr std::size_t kWord = ActiveSets::kWordNeurons;
    FLASHLM_ASSERT(scratch.size_bytes() >= scratch_bytes(dim_, n_tokens, parallel.n_threads()));
    float* sums = scratch.data();                 // [n_tokens, n_blocks]: of |x| over a block, rounded up
    float* norms = sums + n_tokens * n_blocks();  // [n_tokens]: |x|, rounded up
    float* blocks = norms + n_tokens;
    for (std::size_t token = 0; token < n_tokens; ++token) {
      norms[token] = measure(x.subspan(token * dim_, dim_), sums + token * n_blocks());
    }
    parallel.for_threads(n_neurons, kWord, [&](std::size_t thread, std::size_t begin, std::size_t end) {
      float* values = blocks + 2 * thread * kWord * n_tokens;
      float* spreads = values + kWord * n_tokens;
      for (std::size_t at = begin; at < end; at += kWord) {
        const std::size_t n = std::min(kWord, end - at);
        kernels::matmul(layer.gate.slice(at, n), x.data(), dim_, n_tokens, values, kWord);
        kernels::matmul(layer.scales.slice(at, n), sums, n_blocks(), n_tokens, spreads, kWord);
        for (std::size_t token = 0; token < n_tokens; ++token) {
          ActiveSets::Word word = 0;
          for (std::size_t i = 0; i < n; ++i) {
            const float bias = firing.bias.empty() ? 0.0f : firing.bias[at + i];
            RowFacts facts;
            std::memcpy(&facts, layer.facts + (at + i) * sizeof facts, sizeof facts);
            const bool active = can_fire(facts, values[token * kWord + i], spreads[token * kWord + i], norms[token],
                                         bias, firing.threshold);
            word |= ActiveSets::Word{active} << i;
          }
          sets.word(token, at / kWord) = word;
        }
      }
    });
  }

 private:
  struct Layer {
    MatrixView gate;         // q8_0 [n_neurons, dim]
    MatrixView scales;       // f16 [n_neurons, dim / 32]: those of the blocks once more, without sign
    const std::byte* facts;  // [n_neurons]: RowFacts, at any address
  };

  static std::size_t scale_bytes(std::size_t dim, std::span<const std::size_t> neurons) noexcept {
    return std::accumulate(neurons.begin(), neurons.end(), std::size_t{0}) * (dim / kBlockNumbers) *
           sizeof(std::uint16_t);
  }

  std::size_t n_blocks() const noexcept { return dim_ / kBlockNumbers; }

  static float rounded_up(double value) noexcept {
    return std::nextafter(static_cast<float>(value), std::numeric_limits<float>::infinity());
  }

  /// Sums of |x| over each block into `sums`, and the norm of x.
  static float measure(std::span<const float> x, float* sums) noexcept {
    double squares = 0;
    for (std::size_t block = 0; block < x.size() / kBlockNumbers; ++block) {
      double sum = 0;
      for (const float value : x.subspan(block * kBlockNumbers, kBlockNumbers)) {
        const double number = std::abs(static_cast<double>(value));
        sum += number;
        squares += number * number;
      }
      sums[block] = rounded_up(sum * kSlack);
    }
    return rounded_up(std::sqrt(squares) * kSlack);
  }

  /// False only if the kernel's value of the full-precision row, plus bias, is below the threshold.
  bool can_fire(const RowFacts& facts, float value, float spread, float norm, float bias,
                float threshold) const noexcept {
    const double k = static_cast<double>(dim_), n = static_cast<double>(norm);
    const double g = 2 * k * 0x1p-24;  // twice what is needed while k < 2^22; covers the sum of scales, all positive
    const double by_block = static_cast<double>(facts.error_ratio) * static_cast<double>(spread) * (1 + g);
    const double by_norm = static_cast<double>(facts.error_norm) * n;
    const double error = std::min(std::isnan(by_block) ? by_norm : by_block, by_norm) +
                         g * static_cast<double>(facts.norms) * n + k * 0x1p-148;
    const double reach =
        static_cast<double>(value) + static_cast<double>(bias) +
        (error + 0x1p-23 * (std::abs(static_cast<double>(value)) + error + std::abs(static_cast<double>(bias)))) *
            kSlack;
    return !(reach < static_cast<double>(threshold)) || !(static_cast<double>(facts.norms) * n < kNearOverflow);
  }

  static constexpr double kSlack = 1 + 0x1p-16;
  static constexpr double kNearOverflow = 1e37;

  SelectorFile file_;
  std::size_t dim_;
  AlignedBuffer scales_;
  std::vector<Layer> layers_;  // [n_layers]
};

}  // namespace flashlm::inline v0::sparse
