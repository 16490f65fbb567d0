// SPDX-License-Identifier: Apache-2.0
/// eviction.ipp: the bodies of eviction.hpp.
#pragma once

#include "flashlm/units/eviction.hpp"

#include <cmath>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_INLINE float CombinedEviction::used(float key, std::uint32_t now) const noexcept {
  const float time = static_cast<float>(now) / half_life;
  return key == 0 ? time : time + std::log2(std::exp2(key - time) + 1);
}

FLASHLM_INLINE std::string_view name(const Eviction& eviction) noexcept {
  return std::visit([](const auto& one) { return std::string_view(one.kName); }, eviction);
}

FLASHLM_INLINE std::string numerics(const Eviction& eviction) {
  const auto* paper = std::get_if<PaperEviction>(&eviction);
  return paper != nullptr ? concat(paper->kName, ' ', paper->n_tokens) : std::string();
}

FLASHLM_INLINE Eviction make_eviction(std::string_view name, std::optional<std::uint32_t> window) {
  if (window && *window == 0)
    throw ArgumentError("[eviction] window: expected 1 token or more, got 0");
  if (name == WindowEviction::kName || (name == "auto" && window))
    return WindowEviction{window.value_or(0)};
  if (name == PaperEviction::kName) return PaperEviction{window.value_or(PaperEviction().n_tokens)};
  if (window) {
    throw ArgumentError(concat("[eviction] window: expected none for the policy ", name, ", got ",
                               *window, ". It belongs to the policies window and paper."));
  }
  if (name == CombinedEviction::kName || name == "auto") return CombinedEviction{};
  if (name == LruEviction::kName) return LruEviction{};
  if (name == FrequencyEviction::kName) return FrequencyEviction{};
  if (name == NoEviction::kName) return NoEviction{};
  throw ArgumentError(concat(
      "[eviction] policy: expected auto, window, lru, frequency, combined, paper or none, got '",
      name, "'"));
}

}  // namespace flashlm::inline FLASHLM_ABI::units
