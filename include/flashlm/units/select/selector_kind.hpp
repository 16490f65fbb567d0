// SPDX-License-Identifier: Apache-2.0
/// selector_kind.hpp: the selectors, by name.
#pragma once

#include <optional>
#include <string_view>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// Which neurons matter: docs/architecture.md, selectors.
enum class SelectorKind { dense, predictor, gate, threshold };

inline constexpr SelectorKind kSelectorKinds[] = {SelectorKind::dense, SelectorKind::predictor,
                                                  SelectorKind::gate, SelectorKind::threshold};

/// "dense", "predictor", "gate", "threshold".
constexpr std::string_view name(SelectorKind kind) noexcept {
  switch (kind) {
    case SelectorKind::dense: return "dense";
    case SelectorKind::predictor: return "predictor";
    case SelectorKind::gate: return "gate";
    case SelectorKind::threshold: return "threshold";
  }
  return "?";
}

/// The selector of that name.
constexpr std::optional<SelectorKind> selector_kind(std::string_view name) noexcept {
  for (const SelectorKind kind : kSelectorKinds) {
    if (units::name(kind) == name) return kind;
  }
  return std::nullopt;
}

}  // namespace flashlm::inline FLASHLM_ABI::units
