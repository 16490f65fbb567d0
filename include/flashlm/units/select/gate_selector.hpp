// SPDX-License-Identifier: Apache-2.0
/// gate_selector.hpp: finds every neuron that can fire, by a copy of the gate in fewer bits and a
/// bound on its error.
///
/// A neuron of the ReLU family fires where v = w . x + bias reaches a threshold t; w is its gate
/// row, or its up row without a gate. The selector knows q, a q8_0 copy of w, and selects where the
/// copy's value plus everything that can separate it from the value of the full-precision kernel is
/// not below t. Then no neuron that fires is left out, and the output is that of the dense
/// selector, bit for bit. With e = w - q, all of this holds at once:
///
///     |e . x| <= r * sum over blocks b of d_b * sum over k in b of |x_k|      r = max over k of
///     |e_k| / d_b, about 1/2 |e . x| <= |e| |x| Cauchy and Schwarz; norms of two a dot of K
///     products in float, in any order, is off by at most g * sum |w_k x_k| <= g |w| |x|,
///         g = K u / (1 - K u), u = 2^-24 (Higham, Accuracy and Stability, 3.5), and by K 2^-149
///         where products vanish
///
/// so |kernel(w . x) - kernel(q . x)| <= min(first, second) + g (|w| + |q|) |x| + K 2^-148. Adding
/// the bias rounds once more. The bound is computed in double and then made larger by 2^-16 of
/// itself, which covers its own roundings. Where |w| |x| comes near the end of float, partial sums
/// may overflow: such a neuron is selected.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/units/select/active_sets.hpp"
#include "flashlm/units/select/selector_file.hpp"
#include "flashlm/units/select/selector_kind.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// Selects conservatively, for activations that are zero below a threshold. Immutable.
/// Thread-compatible.
class GateSelector {
 public:
  static constexpr SelectorKind kKind = SelectorKind::gate;
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

  /// Takes a file that is loaded. neurons [n_layers]: how many each layer has. Throws FormatError
  /// for another shape.
  GateSelector(SelectorFile file, std::size_t dim, std::span<const std::size_t> neurons);

  /// Bytes that a selector of such a file holds.
  static std::size_t bytes(const SelectorFile& file, std::size_t dim,
                           std::span<const std::size_t> neurons) noexcept;

  /// Bytes of scratch for a batch.
  static std::size_t scratch_bytes(std::size_t dim, std::size_t max_tokens, int n_threads) noexcept;

  /// Fills the sets of all tokens of x [n_tokens, dim]. What a token does not get does not fire.
  void select(std::size_t index, std::size_t n_neurons, const Firing& firing,
              std::span<const float> x, std::size_t n_tokens, Parallel& parallel,
              std::span<float> scratch, ActiveSets& sets) const;

 private:
  struct Layer {
    MatrixView gate;    // q8_0 [n_neurons, dim]
    MatrixView scales;  // f16 [n_neurons, dim / 32]: those of the blocks once more, without sign
    const std::byte* facts;  // [n_neurons]: RowFacts, at any address
  };

  static std::size_t scale_bytes(std::size_t dim, std::span<const std::size_t> neurons) noexcept;

  std::size_t n_blocks() const noexcept;

  static float rounded_up(double value) noexcept;

  /// Sums of |x| over each block into `sums`, and the norm of x.
  static float measure(std::span<const float> x, float* sums) noexcept;

  /// False only if the kernel's value of the full-precision row, plus bias, is below the threshold.
  bool can_fire(const RowFacts& facts, float value, float spread, float norm, float bias,
                float threshold) const noexcept;

  static constexpr double kSlack = 1 + 0x1p-16;
  static constexpr double kNearOverflow = 1e37;

  SelectorFile file_;
  std::size_t dim_;
  AlignedBuffer scales_;
  std::vector<Layer> layers_;  // [n_layers]
};

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/select/gate_selector.ipp"
#endif
