// SPDX-License-Identifier: Apache-2.0
/// selector.hpp: which neurons matter? One choice a model (docs/architecture.md, section 1).
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "flashlm/compute/cpu/isa/activation_kind.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/storage/format/bundle_file.hpp"
#include "flashlm/storage/format/manifest.hpp"
#include "flashlm/units/ffn_parameters.hpp"
#include "flashlm/units/select/active_sets.hpp"
#include "flashlm/units/select/gate_selector.hpp"
#include "flashlm/units/select/predictor.hpp"
#include "flashlm/units/select/selector_file.hpp"
#include "flashlm/units/select/selector_kind.hpp"
#include "flashlm/units/select/threshold_selector.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// Every neuron of every layer: exact for any model.
struct DenseSelector {
  static constexpr SelectorKind kKind = SelectorKind::dense;
};

/// One of the selectors that this library has, with what it needs in DRAM. Thread-compatible.
using Selector = std::variant<DenseSelector, Predictor, GateSelector, ThresholdSelector>;

inline SelectorKind kind(const Selector& selector) noexcept {
  return std::visit([](const auto& one) { return one.kKind; }, selector);
}
inline std::string_view name(const Selector& selector) noexcept { return name(kind(selector)); }

/// A selector that was chosen and whose file was looked at, but not read. Immutable. Thread-safe.
struct SelectorChoice {
  SelectorKind kind = SelectorKind::dense;
  std::filesystem::path path;        // of a predictor, or gates; empty for dense
  std::string fingerprint;           // of the weights
  std::vector<std::size_t> neurons;  // [n_layers]
  std::size_t dim = 0;
  std::size_t bytes = 0;  // that `load` takes
  std::size_t working_set =
      0;  // neurons of all layers that a token is expected to have; 0: unknown

  std::string_view name() const noexcept { return units::name(kind); }

  /// The selector itself. Throws IoError, FormatError.
  Selector load() const;

  /// The file, its header checked. Throws IoError, FormatError.
  SelectorFile open() const;

  /// Names what results depend on: gates give dense's bits, predictor and thresholds those of their
  /// own numbers.
  std::string numerics() const;

  /// Bytes of scratch that a batch needs.
  std::size_t scratch_bytes(std::size_t max_tokens, int n_threads) const;
};

/// The selector of that name for a model; "auto" is a predictor where the folder has one, else
/// dense.
///
/// "gate" makes gates.safetensors where there is none; on_progress counts layers of that, and may
/// throw to stop. Throws ArgumentError for an unknown name, or one that this model can not have;
/// FormatError for the file of another model; IoError.
SelectorChoice choose_selector(
    std::string_view name, const std::filesystem::path& folder, const storage::Manifest& manifest,
    const storage::BundleFile& bundles, kernels::Activation activation,
    const std::function<void(std::size_t, std::size_t)>& on_progress = {});

/// Reads the file of a selector ("predictor", "gate" or "threshold") in a packed folder, if there
/// is one, and compares its checksums. Throws FormatError for one that was changed or belongs to
/// other weights; ArgumentError for an unknown name; IoError.
void verify_selector(std::string_view name, const std::filesystem::path& folder,
                     const storage::Manifest& manifest);

/// The same with the manifest of the folder.
void verify_selector(std::string_view name, const std::filesystem::path& folder);

/// Fills the sets of a batch with the neurons of `layer` that each token needs (numerics, rule 3).
///
/// x [n_tokens, dim] is the input of the feed-forward network. Not for the dense selector, which
/// needs no sets.
void select(const Selector& selector, std::size_t layer, const storage::BundleLayout& layout,
            const FfnParameters& ffn, std::span<const float> x, std::size_t n_tokens,
            Parallel& parallel, std::span<float> scratch, ActiveSets& sets);

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/select/selector.ipp"
#endif
