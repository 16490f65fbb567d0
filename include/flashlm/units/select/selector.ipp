// SPDX-License-Identifier: Apache-2.0
/// selector.ipp: the bodies of selector.hpp.
#pragma once

#include "flashlm/units/select/selector.hpp"

#include <algorithm>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/units/select/gate_writer.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_INLINE std::string_view name(const Selector& selector) noexcept {
  return std::visit([](const auto& one) { return std::string_view(one.kName); }, selector);
}

FLASHLM_INLINE Selector SelectorChoice::load() const {
  if (path.empty()) return DenseSelector{};
  SelectorFile file = open();
  file.load();
  if (name == Predictor::kName) return Predictor(std::move(file), dim, neurons);
  if (name == ThresholdSelector::kName) return ThresholdSelector(std::move(file), dim, neurons);
  return GateSelector(std::move(file), dim, neurons);
}

FLASHLM_INLINE SelectorFile SelectorChoice::open() const {
  const char* format = name == Predictor::kName ? Predictor::kFormat : GateSelector::kFormat;
  return SelectorFile::open(
      path, name == ThresholdSelector::kName ? ThresholdSelector::kFormat : format, fingerprint);
}

FLASHLM_INLINE std::string SelectorChoice::numerics() const {
  return name == Predictor::kName || name == ThresholdSelector::kName
             ? concat(name, ' ', open().digest())
             : std::string(DenseSelector::kName);
}

FLASHLM_INLINE std::size_t SelectorChoice::scratch_bytes(std::size_t max_tokens,
                                                         int n_threads) const {
  if (path.empty()) return 0;
  if (name == GateSelector::kName) return GateSelector::scratch_bytes(dim, max_tokens, n_threads);
  if (name == ThresholdSelector::kName)
    return ThresholdSelector::scratch_bytes(max_tokens, n_threads);
  std::size_t rank = 0;
  const SelectorFile file = open();
  for (std::size_t layer = 0; layer < neurons.size(); ++layer) {
    const std::string tensor = concat("layers.", layer, ".a");
    if (file.has(tensor)) rank = std::max(rank, file.shape(tensor).first);
  }
  return Predictor::scratch_bytes(rank, max_tokens, n_threads);
}

FLASHLM_INLINE SelectorChoice choose_selector(
    std::string_view name, const std::filesystem::path& folder, const storage::Manifest& manifest,
    const storage::BundleFile& bundles, kernels::Activation activation,
    const std::function<void(std::size_t, std::size_t)>& on_progress) {
  SelectorChoice choice;
  bool single = true;
  for (std::size_t layer = 0; layer < bundles.n_layers(); ++layer) {
    choice.neurons.push_back(bundles.layout(layer).n_neurons);
    single = single && bundles.layout(layer).neurons_per_bundle == 1;
  }
  choice.dim = bundles.layout(0).dim;
  const std::filesystem::path predictor = folder / Predictor::kFileName,
                              gates = folder / GateSelector::kFileName;
  if (name == "auto")
    name = single && std::filesystem::exists(predictor) ? Predictor::kName : DenseSelector::kName;
  if (name != DenseSelector::kName && name != Predictor::kName && name != GateSelector::kName &&
      name != ThresholdSelector::kName) {
    throw ArgumentError(concat(
        "[selector] name: expected auto, dense, predictor, gate or threshold, got '", name, "'"));
  }
  choice.name = name;
  if (name == DenseSelector::kName) return choice;
  if (!single) {
    throw ArgumentError(concat("[selector] ", name, ": expected bundles of 1 neuron, got others (",
                               folder.string(), "). Pack the model with neurons_per_bundle=1."));
  }
  choice.fingerprint = weights_fingerprint(manifest);
  if (name == Predictor::kName) {
    if (!std::filesystem::exists(predictor)) {
      throw ArgumentError(concat("[selector] predictor: expected ", Predictor::kFileName, " in ",
                                 folder.string(), ", got none. `flashlm train` makes one."));
    }
    choice.path = predictor;
    const SelectorFile file = choice.open();
    choice.bytes = file.bytes();
    std::size_t all = 0;
    for (const std::size_t n : choice.neurons) all += n;
    choice.working_set =
        static_cast<std::size_t>(file.selected().value_or(0) * static_cast<double>(all));
    return choice;
  }
  if (name == ThresholdSelector::kName) {
    choice.path = folder / ThresholdSelector::kFileName;
    if (!bundles.layout(0).gated || activation != kernels::Activation::silu) {
      throw ArgumentError(concat("[selector] threshold: expected a gated network with silu, got ",
                                 bundles.layout(0).gated ? "" : "one without a gate, ",
                                 kernels::name(activation), ". Use predictor or gate."));
    }
    if (!std::filesystem::exists(choice.path)) {
      throw ArgumentError(concat("[selector] threshold: expected ", ThresholdSelector::kFileName,
                                 " in ", folder.string(),
                                 ", got none. `flashlm.add_thresholds` makes it."));
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

FLASHLM_INLINE void verify_selector(std::string_view name, const std::filesystem::path& folder,
                                    const storage::Manifest& manifest) {
  SelectorChoice choice;
  choice.name = name;
  choice.path = folder / (name == Predictor::kName      ? Predictor::kFileName
                          : name == GateSelector::kName ? GateSelector::kFileName
                                                        : ThresholdSelector::kFileName);
  if (!std::filesystem::exists(choice.path)) return;
  choice.fingerprint = weights_fingerprint(manifest);
  choice.open().load();
}

FLASHLM_INLINE void verify_selector(std::string_view name, const std::filesystem::path& folder) {
  verify_selector(name, folder, storage::Manifest::open(folder));
}

FLASHLM_INLINE void select(const Selector& selector, std::size_t layer,
                           const storage::BundleLayout& layout, const FfnParameters& ffn,
                           std::span<const float> x, std::size_t n_tokens, Parallel& parallel,
                           std::span<float> scratch, ActiveSets& sets) {
  if (const auto* predictor = std::get_if<Predictor>(&selector)) {
    predictor->select(layer, layout.n_neurons, x, n_tokens, parallel, scratch, sets);
  } else if (const auto* threshold = std::get_if<ThresholdSelector>(&selector)) {
    threshold->select(layer, layout.n_neurons, x, n_tokens, parallel, scratch, sets);
  } else if (const auto* gate = std::get_if<GateSelector>(&selector)) {
    // Without a gate it is the up row that decides, with its bias.
    const GateSelector::Firing firing{
        layout.gated ? std::span<const float>() : ffn.up_bias,
        ffn.activation == kernels::Activation::fatrelu ? ffn.threshold : 0};
    gate->select(layer, layout.n_neurons, firing, x, n_tokens, parallel, scratch, sets);
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::units
