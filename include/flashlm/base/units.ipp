// SPDX-License-Identifier: Apache-2.0
/// units.ipp: the bodies of units.hpp.
#pragma once

#include "flashlm/base/units.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <system_error>
#include <utility>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI {

FLASHLM_INLINE MemorySize parse_memory(std::string_view text) {
  const auto fail = [&] {
    return ArgumentError(
        concat("[memory] size: expected auto, bytes, a number with KiB, MiB, GiB, kB, MB or GB, or "
               "a share "
               "such as 50%, more than 0, got '",
               text, "'"));
  };
  if (text == "auto") return {.automatic = true};
  double number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || !std::isfinite(number) || number <= 0) throw fail();
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  if (unit == "%") {
    if (number > 1e6) throw fail();
    return {0, number / 100};
  }
  constexpr std::array<std::pair<std::string_view, double>, 12> kUnits{{{"", 1},
                                                                        {"B", 1},
                                                                        {"kB", 1e3},
                                                                        {"KB", 1e3},
                                                                        {"MB", 1e6},
                                                                        {"GB", 1e9},
                                                                        {"KiB", 1024},
                                                                        {"MiB", 1048576},
                                                                        {"GiB", 1073741824},
                                                                        {"K", 1024},
                                                                        {"M", 1048576},
                                                                        {"G", 1073741824}}};
  for (const auto& [word, factor] : kUnits) {
    if (unit != word) continue;
    const double bytes = number * factor;
    if (bytes < 1 || bytes > 0x1p62) throw fail();
    return {static_cast<std::uint64_t>(bytes), std::nullopt};
  }
  throw fail();
}

FLASHLM_INLINE std::string format_bytes(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= 1000 && unit < 6) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  const int digits = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  std::snprintf(text, sizeof text, "%.*f %s", digits, value, kUnits[unit]);
  return text;
}

}  // namespace flashlm::inline FLASHLM_ABI
