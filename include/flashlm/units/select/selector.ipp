// SPDX-License-Identifier: Apache-2.0
/// selector.ipp: the bodies of selector.hpp.
#pragma once

#include "flashlm/units/select/selector.hpp"

#include <algorithm>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/units/select/gate_writer.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

namespace detail {

/// The file that a selector has in a packed folder: its name, and the format in its header. The
/// dense one has none.
struct SelectorFileNames {
  const char* file = "";
  const char* format = "";
};

inline SelectorFileNames file_names(SelectorKind kind) noexcept {
  switch (kind) {
    case SelectorKind::dense: break;
    case SelectorKind::predictor: return {Predictor::kFileName, Predictor::kFormat};
    case SelectorKind::gate: return {GateSelector::kFileName, GateSelector::kFormat};
    case SelectorKind::threshold: return {ThresholdSelector::kFileName, ThresholdSelector::kFormat};
  }
  return {};
}

/// The largest rank of a predictor's layers.
inline std::size_t largest_rank(const SelectorFile& file, std::size_t n_layers) {
  std::size_t rank = 0;
  for (std::size_t layer = 0; layer < n_layers; ++layer) {
    const std::string tensor = concat("layers.", layer, ".a");
    if (file.has(tensor)) rank = std::max(rank, file.shape(tensor).first);
  }
  return rank;
}

}  // namespace detail

FLASHLM_INLINE Selector SelectorChoice::load() const {
  if (kind == SelectorKind::dense) return DenseSelector{};
  SelectorFile file = open();
  file.load();
  switch (kind) {
    case SelectorKind::dense: break;
    case SelectorKind::predictor: return Predictor(std::move(file), dim, neurons);
    case SelectorKind::gate: return GateSelector(std::move(file), dim, neurons);
    case SelectorKind::threshold: return ThresholdSelector(std::move(file), dim, neurons);
  }
  return DenseSelector{};
}

FLASHLM_INLINE SelectorFile SelectorChoice::open() const {
  return SelectorFile::open(path, detail::file_names(kind).format, fingerprint);
}

FLASHLM_INLINE std::string SelectorChoice::numerics() const {
  switch (kind) {
    case SelectorKind::dense:
    case SelectorKind::gate: break;
    case SelectorKind::predictor:
    case SelectorKind::threshold: return concat(name(), ' ', open().digest());
  }
  return std::string(units::name(SelectorKind::dense));
}

FLASHLM_INLINE std::size_t SelectorChoice::scratch_bytes(std::size_t max_tokens,
                                                         int n_threads) const {
  switch (kind) {
    case SelectorKind::dense: break;
    case SelectorKind::predictor:
      return Predictor::scratch_bytes(detail::largest_rank(open(), neurons.size()), max_tokens,
                                      n_threads);
    case SelectorKind::gate: return GateSelector::scratch_bytes(dim, max_tokens, n_threads);
    case SelectorKind::threshold: return ThresholdSelector::scratch_bytes(max_tokens, n_threads);
  }
  return 0;
}

namespace detail {

/// Refuses a file that is not there. `hint` says how to make it.
inline void require_selector_file(const SelectorChoice& choice, const char* hint) {
  if (std::filesystem::exists(choice.path)) return;
  throw ArgumentError(concat("[selector] ", choice.name(), ": expected ",
                             choice.path.filename().string(), " in ",
                             choice.path.parent_path().string(), ", got none. ", hint));
}

/// What a predictor takes, and how many neurons it is expected to choose.
inline void look_at_predictor(SelectorChoice& choice) {
  require_selector_file(choice, "`flashlm train` makes one.");
  const SelectorFile file = choice.open();
  choice.bytes = file.bytes();
  std::size_t all = 0;
  for (const std::size_t n : choice.neurons) all += n;
  choice.working_set =
      static_cast<std::size_t>(file.selected().value_or(0) * static_cast<double>(all));
}

inline void look_at_thresholds(SelectorChoice& choice, bool gated, kernels::Activation activation) {
  if (!gated || activation != kernels::Activation::silu) {
    throw ArgumentError(concat("[selector] threshold: expected a gated network with silu, got ",
                               gated ? "" : "one without a gate, ", kernels::name(activation),
                               ". Use predictor or gate."));
  }
  require_selector_file(choice, "`flashlm.add_thresholds` makes it.");
  choice.bytes = choice.open().bytes();
}

inline void look_at_gates(SelectorChoice& choice, kernels::Activation activation,
                          const std::function<void(std::size_t, std::size_t)>& on_progress) {
  if (!kernels::is_sparse(activation)) {
    throw ArgumentError(concat("[selector] gate: expected an activation that makes zeros, got ",
                               kernels::name(activation), ". Every neuron of this model fires."));
  }
  if (!std::filesystem::exists(choice.path)) write_gates(choice.path.parent_path(), on_progress);
  choice.bytes = GateSelector::bytes(choice.open(), choice.dim, choice.neurons);
}

/// The selector of a name that people write.
inline SelectorKind parse_selector(std::string_view name, bool has_predictor) {
  if (name == "auto") return has_predictor ? SelectorKind::predictor : SelectorKind::dense;
  if (const auto kind = selector_kind(name)) return *kind;
  throw ArgumentError(concat(
      "[selector] name: expected auto, dense, predictor, gate or threshold, got '", name, "'"));
}

}  // namespace detail

FLASHLM_INLINE SelectorChoice choose_selector(
    std::string_view name, const std::filesystem::path& folder, const storage::Manifest& manifest,
    const storage::BundleFile& bundles, kernels::Activation activation,
    const std::function<void(std::size_t, std::size_t)>& on_progress) {
  SelectorChoice choice;
  bool single = bundles.n_layers() != 0;
  for (std::size_t layer = 0; layer < bundles.n_layers(); ++layer) {
    choice.neurons.push_back(bundles.layout(layer).n_neurons);
    single = single && bundles.layout(layer).neurons_per_bundle == 1;
  }
  if (single) choice.dim = bundles.layout(0).dim;
  choice.kind = detail::parse_selector(
      name, single && std::filesystem::exists(folder / Predictor::kFileName));
  if (choice.kind == SelectorKind::dense) return choice;
  if (!single) {
    throw ArgumentError(concat("[selector] ", name, ": expected bundles of 1 neuron, got others (",
                               folder.string(), "). Pack the model with neurons_per_bundle=1."));
  }
  choice.path = folder / detail::file_names(choice.kind).file;
  choice.fingerprint = weights_fingerprint(manifest);
  switch (choice.kind) {
    case SelectorKind::dense: break;
    case SelectorKind::predictor: detail::look_at_predictor(choice); break;
    case SelectorKind::gate: detail::look_at_gates(choice, activation, on_progress); break;
    case SelectorKind::threshold:
      detail::look_at_thresholds(choice, bundles.layout(0).gated, activation);
      break;
  }
  return choice;
}

FLASHLM_INLINE void verify_selector(std::string_view name, const std::filesystem::path& folder,
                                    const storage::Manifest& manifest) {
  SelectorChoice choice;
  choice.kind = detail::parse_selector(name, false);
  choice.path = folder / detail::file_names(choice.kind).file;
  if (choice.kind == SelectorKind::dense || !std::filesystem::exists(choice.path)) return;
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
  const std::size_t n_neurons = layout.n_neurons;
  switch (kind(selector)) {
    case SelectorKind::dense: break;
    case SelectorKind::predictor:
      std::get<Predictor>(selector).select(layer, n_neurons, x, n_tokens, parallel, scratch, sets);
      break;
    case SelectorKind::gate: {
      // Without a gate it is the up row that decides, with its bias.
      const GateSelector::Firing firing{layout.gated ? std::span<const float>() : ffn.up_bias,
                                        ffn.fires_from()};
      std::get<GateSelector>(selector).select(layer, n_neurons, firing, x, n_tokens, parallel,
                                              scratch, sets);
      break;
    }
    case SelectorKind::threshold:
      std::get<ThresholdSelector>(selector).select(layer, n_neurons, x, n_tokens, parallel, scratch,
                                                   sets);
      break;
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::units
