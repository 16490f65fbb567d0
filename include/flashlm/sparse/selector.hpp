// SPDX-License-Identifier: Apache-2.0
/// selector.hpp: which neurons matter? One choice a model (docs/architecture.md, section 1).
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <variant>

#include "flashlm/base/error.hpp"
#include "flashlm/sparse/neuron_set.hpp"

namespace flashlm::inline v0::sparse {

/// Every neuron of every layer: exact for any model.
struct DenseSelector {
  static constexpr std::string_view kName = "dense";

  void select(std::size_t /*layer*/, std::size_t n_neurons, std::span<const float> /*ffn_input*/,
              NeuronSet& active) const {
    active.push({0, static_cast<NeuronId>(n_neurons)});
  }
};

/// One of the selectors that this library has.
using Selector = std::variant<DenseSelector>;

/// The selector of that name; "auto" takes what the folder offers. Throws ArgumentError for an unknown name.
inline Selector make_selector(std::string_view name) {
  if (name == DenseSelector::kName || name == "auto") return DenseSelector{};
  throw ArgumentError(concat("[selector] name: expected auto or dense, got '", name, "'"));
}

inline std::string_view name(const Selector& selector) noexcept {
  return std::visit([](const auto& one) { return std::string_view(one.kName); }, selector);
}

/// Replaces `active` by the neurons of `layer` that a token needs.
///
/// ffn_input [dim] is the token's input to the feed-forward network. The set is a token's own (numerics, rule 3).
inline void select(const Selector& selector, std::size_t layer, std::size_t n_neurons, std::span<const float> ffn_input,
                   NeuronSet& active) {
  active.clear();
  std::visit([&](const auto& one) { one.select(layer, n_neurons, ffn_input, active); }, selector);
}

}  // namespace flashlm::inline v0::sparse
