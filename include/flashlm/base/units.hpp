// SPDX-License-Identifier: Apache-2.0
/// units.hpp: sizes as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI {

/// A memory budget: bytes for everything, a share of the packed weights (cache and scratch on top),
/// or what is free.
struct MemorySize {
  std::uint64_t bytes = 0;
  std::optional<double> share{};  // 0.5 for "50%"
  bool automatic =
      false;  // "auto": what the system can spare when a model is opened, which `bytes` says then
};

/// "auto", "4GiB", "512 MiB", "1.5GB" (decimal), "800000000" or "50%".
///
/// Throws ArgumentError for anything else, for 0, and beyond 2^62 bytes or a million percent.
MemorySize parse_memory(std::string_view text);

/// "1.50 GiB", "128 MiB", "512 B": three digits, binary units.
std::string format_bytes(std::uint64_t bytes);

}  // namespace flashlm::inline FLASHLM_ABI

#if !defined(FLASHLM_COMPILED)
#include "flashlm/base/units.ipp"
#endif
