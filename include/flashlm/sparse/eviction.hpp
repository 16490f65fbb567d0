// SPDX-License-Identifier: Apache-2.0
/// eviction.hpp: which neuron leaves DRAM first? One choice an engine.
///
/// A policy gives every neuron a number, its key, that changes only when the neuron is used. The smallest leaves first.
/// Time is counted in tokens.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "flashlm/base/error.hpp"

namespace flashlm::inline v0::sparse {

/// Nothing stays: every neuron is read when it is needed. For measuring what keeping is worth.
struct NoEviction {
  static constexpr std::string_view kName = "none";
  float used(float /*key*/, std::uint32_t /*now*/) const noexcept { return 0; }
};

/// The union of the last tokens (arXiv:2312.11514, section 3.1): of a fixed number, or of as many as fit.
struct WindowEviction {
  static constexpr std::string_view kName = "window";
  std::uint32_t n_tokens = 0;  // 0: as many as fit
  float used(float /*key*/, std::uint32_t now) const noexcept { return static_cast<float>(now); }
};

/// The one that was not used for longest; unlike a window's, it stays until its row is needed.
struct LruEviction {
  static constexpr std::string_view kName = "lru";
  float used(float /*key*/, std::uint32_t now) const noexcept { return static_cast<float>(now); }
};

/// The one that was used least often, since the beginning: the hottest neurons are as good as pinned.
struct FrequencyEviction {
  static constexpr std::string_view kName = "frequency";
  float used(float key, std::uint32_t /*now*/) const noexcept { return key + 1; }
};

/// Uses count for less the longer they are past: half after `half_life` tokens (LRFU: Lee et al., IEEE Transactions on
/// Computers 50(12), 2001). Between least recently used (half life 0) and least frequently used (infinite).
///
/// The key is the logarithm of the count as it would stand at token 0, which no passing of time changes:
/// count(now) = 2^(key - now / half_life), and a use adds 1 to it.
struct CombinedEviction {
  static constexpr std::string_view kName = "combined";
  float half_life = 64;
  float used(float key, std::uint32_t now) const noexcept {
    const float time = static_cast<float>(now) / half_life;
    return key == 0 ? time : time + std::log2(std::exp2(key - time) + 1);
  }
};

/// The oldest, but in the paper's own structure (PackedRows), where all rows that are in DRAM are multiplied: the one
/// choice that changes results, and that makes them depend on the tokens before. For comparing with the paper.
struct PaperEviction {
  static constexpr std::string_view kName = "paper";
  std::uint32_t n_tokens = 5;  // or fewer, where rows run short
  float used(float /*key*/, std::uint32_t now) const noexcept { return static_cast<float>(now); }
};

using Eviction =
    std::variant<NoEviction, WindowEviction, LruEviction, FrequencyEviction, CombinedEviction, PaperEviction>;

inline std::string_view name(const Eviction& eviction) noexcept {
  return std::visit([](const auto& one) { return std::string_view(one.kName); }, eviction);
}

/// Names what results depend on: a policy that is not exact and its window; else empty.
inline std::string numerics(const Eviction& eviction) {
  const auto* paper = std::get_if<PaperEviction>(&eviction);
  return paper != nullptr ? concat(paper->kName, ' ', paper->n_tokens) : std::string();
}

/// The policy of that name; "auto" is combined, or, where `window` counts tokens, window.
///
/// Throws ArgumentError for an unknown name, and for a window that the policy has not.
inline Eviction make_eviction(std::string_view name, std::optional<std::uint32_t> window = std::nullopt) {
  if (window && *window == 0) throw ArgumentError("[eviction] window: expected 1 token or more, got 0");
  if (name == WindowEviction::kName || (name == "auto" && window)) return WindowEviction{window.value_or(0)};
  if (name == PaperEviction::kName) return PaperEviction{window.value_or(PaperEviction().n_tokens)};
  if (window) {
    throw ArgumentError(concat("[eviction] window: expected none for the policy ", name, ", got ", *window,
                               ". It belongs to the policies window and paper."));
  }
  if (name == CombinedEviction::kName || name == "auto") return CombinedEviction{};
  if (name == LruEviction::kName) return LruEviction{};
  if (name == FrequencyEviction::kName) return FrequencyEviction{};
  if (name == NoEviction::kName) return NoEviction{};
  throw ArgumentError(
      concat("[eviction] policy: expected auto, window, lru, frequency, combined, paper or none, got '", name, "'"));
}

}  // namespace flashlm::inline v0::sparse
