// SPDX-License-Identifier: Apache-2.0
/// selector.hpp: which neurons matter? One choice a model (docs/architecture.md, section 1).
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/parallel.hpp"
#include "flashlm/kernels/activation.hpp"
#include "flashlm/sparse/active_sets.hpp"
#include "flashlm/sparse/gate_selector.hpp"
#include "flashlm/sparse/gate_writer.hpp"
#include "flashlm/sparse/predictor.hpp"
#include "flashlm/sparse/selector_file.hpp"
#include "flashlm/sparse/sparse_ffn.hpp"
#include "flashlm/sparse/threshold_selector.hpp"
#include "flashlm/storage/bundle_file.hpp"
#include "flashlm/storage/manifest.hpp"

namespace flashlm::inline v0::sparse {

/// Every neuron of every layer: exact for any model.
struct DenseSelector {
  static constexpr std::string_view kName = "dense";
};

/// One of the selectors that this library has, with what it needs in DRAM. Thread-compatible.
using Selector = std::variant<DenseSelector, Predictor, GateSelector, ThresholdSelector>;

inline std::string_view name(const Selector& selector) noexcept {
  return std::visit([](const auto& one) { return std::string_view(one.kName); }, selector);
}

/// A selector that was chosen and whose file was looked at, but not read. Immutable. Thread-safe.
struct SelectorChoice {
  std::string name;
  std::filesystem::path path;        // of a predictor, or gates; empty for dense
  std::string fingerprint;           // of the weights
  std::vector<std::size_t> neurons;  // [n_layers]
  std::size_t dim = 0;
  std::size_t bytes = 0;        // that `load` takes
  std::size_t working_set = 0;  // neurons of all layers that a token is expected to have; 0: unknown

  /// The selector itself. Throws IoError, FormatError.
  Selector load() const {
    if (path.empty()) return DenseSelector{};
    SelectorFile file = open();
    file.load();
    if (name == Predictor::kName) return Predictor(std::move(file), dim, neurons);
    if (name == ThresholdSelector::kName) return ThresholdSelector(std::move(file), dim, neurons);
    return GateSelector(std::move(file), dim, neurons);
  }

  /// The file, its header checked. Throws IoError, FormatError.
  SelectorFile open() const {
    const char* format = name == Predictor::kName ? Predictor::kFormat : GateSelector::kFormat;
    return SelectorFile::open(path, name == ThresholdSelector::kName ? ThresholdSelector::kFormat : format,
                              fingerprint);
  }

  /// Names what results depend on: gates give dense's bits, predictor and thresholds those of their own numbers.
  std::string numerics() const {
    return name == Predictor::kName || name == ThresholdSelector::kName ? concat(name, ' ', open().digest())
                                                                        : std::string(DenseSelector::kName);
  }

  /// Bytes of scratch that a batch needs.
  std::size_t scratch_bytes(std::size_t max_tokens, int n_threads) const {
    if (path.empty()) return 0;
    if (name == GateSelector::kName) return GateSelector::scratch_bytes(dim, max_tokens, n_threads);
    if (name == ThresholdSelector::kName) return ThresholdSelector::scratch_bytes(max_tokens, n_threads);
    std::size_t rank = 0;
    const SelectorFile file = open();
    for (std::size_t layer = 0; layer < neurons.size(); ++layer) {
      const std::string tensor = concat("layers.", layer, ".a");
      if (file.has(tensor)) rank = std::max(rank, file.shape(tensor).first);
    }
    return Predictor::scratch_bytes(rank, max_tokens, n_threads);
  }
};

/// The selector of that name for a model; "auto" is a predictor where the folder has one, else dense.
///
/// "gate" makes gates.safetensors where there is none; on_progress counts layers of that, and may throw to stop.
/// Throws ArgumentError for an unknown name, or one that this model can not have; FormatError for the file of another
/// model; IoError.
inline SelectorChoice choose_selector(std::string_view name, const std::filesystem::path& folder,
                                      const storage::Manifest& manifest, const storage::BundleFile& bundles,
                                      kernels::Activation activation,
                                      const std::function<void(std::size_t, std::size_t)>& on_progress = {}) {
  SelectorChoice choice;
  bool single = true;
  for (std::size_t layer = 0; layer < bundles.n_layers(); ++layer) {
    choice.neurons.push_back(bundles.layout(layer).n_neurons);
    single = single && bundles.layout(layer).neurons_per_bundle == 1;
  }
  choice.dim = bundles.layout(0).dim;
  const std::filesystem::path predictor = folder / Predictor::kFileName, gates = folder / GateSelector::kFileName;
  if (name == "auto") name = single && std::filesystem::exists(predictor) ? Predictor::kName : DenseSelector::kName;
  if (name != DenseSelector::kName && name != Predictor::kName && name != GateSelector::kName &&
      name != ThresholdSelector::kName) {
    throw ArgumentError(
        concat("[selector] name: expected auto, dense, predictor, gate or threshold, got '", name, "'"));
  }
  choice.name = name;
  if (name == DenseSelector::kName) return choice;
  if (!single) {
    throw ArgumentError(concat("[selector] ", name, ": expected bundles of 1 neuron, got others (", folder.string(),
                               "). Pack the model with neurons_per_bundle=1."));
  }
  choice.fingerprint = weights_fingerprint(manifest);
  if (name == Predictor::kName) {
    if (!std::filesystem::exists(predictor)) {
      throw ArgumentError(concat("[selector] predictor: expected ", Predictor::kFileName, " in ", folder.string(),
                                 ", got none. `flashlm train` makes one."));
    }
    choice.path = predictor;
    const SelectorFile file = choice.open();
    choice.bytes = file.bytes();
    std::size_t all = 0;
    for (const std::size_t n : choice.neurons) all += n;
    choice.working_set = static_cast<std::size_t>(file.selected().value_or(0) * static_cast<double>(all));
    return choice;
  }
  if (name == ThresholdSelector::kName) {
    choice.path = folder / ThresholdSelector::kFileName;
    if (!bundles.layout(0).gated || activation != kernels::Activation::silu) {
      throw ArgumentError(concat("[selector] threshold: expected a gated network with silu, got ",
                                 bundles.layout(0).gated ? "" : "one without a gate, ", kernels::name(activation),
                                 ". Use predictor or gate."));
    }
    if (!std::filesystem::exists(choice.path)) {
      throw ArgumentError(concat("[selector] threshold: expected ", ThresholdSelector::kFileName, " in ",
                                 folder.string(), ", got none. `flashlm.add_thresholds` makes it."));
    }
    choice.bytes = choice.open().bytes();
    return choice;
  }
  if (!kernels::is_sparse(activation)) {
    throw ArgumentError(concat("[selector] gate: expected an activation that makes zeros, got ",
                               kernels::name(activation), ". Every neuron of this model fires."));
  }
  if (!std::filesystem::exists(gates)) write_gates(folder, on_progress);
  choice.path = gates;
  choice.bytes = GateSelector::bytes(choice.open(), choice.dim, choice.neurons);
  return choice;
}

/// Reads the file of a selector ("predictor", "gate" or "threshold") in a packed folder, if there is one, and compares
/// its checksums. Throws FormatError for one that was changed or belongs to other weights; IoError.
inline void verify_selector(std::string_view name, const std::filesystem::path& folder) {
  SelectorChoice choice;
  choice.name = name;
  choice.path = folder / (name == Predictor::kName      ? Predictor::kFileName
                          : name == GateSelector::kName ? GateSelector::kFileName
                                                        : ThresholdSelector::kFileName);
  if (!std::filesystem::exists(choice.path)) return;
  choice.fingerprint = weights_fingerprint(storage::Manifest::open(folder));
  choice.open().load();
}

/// Fills the sets of a batch with the neurons of `layer` that each token needs (numerics, rule 3).
///
/// x [n_tokens, dim] is the input of the feed-forward network. Not for the dense selector, which needs no sets.
inline void select(const Selector& selector, std::size_t layer, const storage::BundleLayout& layout,
                   const FfnParameters& ffn, std::span<const float> x, std::size_t n_tokens, Parallel& parallel,
                   std::span<float> scratch, ActiveSets& sets) {
  if (const auto* predictor = std::get_if<Predictor>(&selector)) {
    predictor->select(layer, layout.n_neurons, x, n_tokens, parallel, scratch, sets);
  } else if (const auto* threshold = std::get_if<ThresholdSelector>(&selector)) {
    threshold->select(layer, layout.n_neurons, x, n_tokens, parallel, scratch, sets);
  } else if (const auto* gate = std::get_if<GateSelector>(&selector)) {
    // Without a gate it is the up row that decides, with its bias.
    const GateSelector::Firing firing{layout.gated ? std::span<const float>() : ffn.up_bias,
                                      ffn.activation == kernels::Activation::fatrelu ? ffn.threshold : 0};
    gate->select(layer, layout.n_neurons, firing, x, n_tokens, parallel, scratch, sets);
  }
}

}  // namespace flashlm::inline v0::sparse
