// SPDX-License-Identifier: Apache-2.0
/// threshold_selector.hpp: leaves out neurons whose gate is small (CATS, arXiv:2404.08763). Lossy.
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

/// For gated networks with silu, none of whose neurons is ever exactly zero: a neuron is active
/// where |silu(q . x)| is above its layer's threshold, q being a q8_0 copy of its gate row that
/// stays in DRAM.
///
/// The result is not dense's: thresholds are calibrated for a share of neurons to leave out, and
/// what that costs has to be measured. A value that is not a number selects. Immutable.
/// Thread-compatible.
class ThresholdSelector {
 public:
  static constexpr SelectorKind kKind = SelectorKind::threshold;
  static constexpr const char* kFormat = "flashlm thresholds";
  static constexpr const char* kFileName = "thresholds.safetensors";

  /// Takes a file that is loaded. neurons [n_layers]: how many each layer has. Throws FormatError
  /// for another shape, and for thresholds that are NaN.
  ThresholdSelector(SelectorFile file, std::size_t dim, std::span<const std::size_t> neurons);

  std::size_t bytes() const noexcept { return file_.bytes(); }

  /// Bytes of scratch for a batch.
  static std::size_t scratch_bytes(std::size_t max_tokens, int n_threads) noexcept;

  /// Fills the sets of all tokens of x [n_tokens, dim]. A token's set does not depend on the
  /// others.
  void select(std::size_t index, std::size_t n_neurons, std::span<const float> x,
              std::size_t n_tokens, Parallel& parallel, std::span<float> scratch,
              ActiveSets& sets) const;

 private:
  struct Layer {
    MatrixView gate;  // [n_neurons, dim]
    float threshold;
  };

  SelectorFile file_;
  std::size_t dim_;
  std::vector<Layer> layers_;  // [n_layers]
};

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/select/threshold_selector.ipp"
#endif
