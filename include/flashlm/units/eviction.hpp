// SPDX-License-Identifier: Apache-2.0
/// eviction.hpp: which neuron leaves DRAM first? One choice an engine.
///
/// A policy gives every neuron a number, its key, that changes only when the neuron is used. The
/// smallest leaves first. Time is counted in tokens.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// Nothing stays: every neuron is read when it is needed. For measuring what keeping is worth.
struct NoEviction {
  static constexpr std::string_view kName = "none";
  float used(float /*key*/, std::uint32_t /*now*/) const noexcept { return 0; }
};

/// The union of the last tokens (arXiv:2312.11514, section 3.1): of a fixed number, or of as many
/// as fit.
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

/// The one that was used least often, since the beginning: the hottest neurons are as good as
/// pinned.
struct FrequencyEviction {
  static constexpr std::string_view kName = "frequency";
  float used(float key, std::uint32_t /*now*/) const noexcept { return key + 1; }
};

/// Uses count for less the longer they are past: half after `half_life` tokens (LRFU: Lee et al.,
/// IEEE Transactions on Computers 50(12), 2001). Between least recently used (half life 0) and
/// least frequently used (infinite).
///
/// The key is the logarithm of the count as it would stand at token 0, which no passing of time
/// changes: count(now) = 2^(key - now / half_life), and a use adds 1 to it.
struct CombinedEviction {
  static constexpr std::string_view kName = "combined";
  float half_life = 64;
  float used(float key, std::uint32_t now) const noexcept;
};

/// The oldest, but in the paper's own structure (PackedRows), where all rows that are in DRAM are
/// multiplied: the one choice that changes results, and that makes them depend on the tokens
/// before. For comparing with the paper.
struct PaperEviction {
  static constexpr std::string_view kName = "paper";
  std::uint32_t n_tokens = 5;  // or fewer, where rows run short
  float used(float /*key*/, std::uint32_t now) const noexcept { return static_cast<float>(now); }
};

using Eviction = std::variant<NoEviction, WindowEviction, LruEviction, FrequencyEviction,
                              CombinedEviction, PaperEviction>;

std::string_view name(const Eviction& eviction) noexcept;

/// Names what results depend on: a policy that is not exact and its window; else empty.
std::string numerics(const Eviction& eviction);

/// The policy of that name; "auto" is combined, or, where `window` counts tokens, window.
///
/// Throws ArgumentError for an unknown name, and for a window that the policy has not.
Eviction make_eviction(std::string_view name, std::optional<std::uint32_t> window = std::nullopt);

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/eviction.ipp"
#endif
