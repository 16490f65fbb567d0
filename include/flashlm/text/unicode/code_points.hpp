// SPDX-License-Identifier: Apache-2.0
/// code_points.hpp: sets of Unicode characters as ranges.
#pragma once

#include <initializer_list>
#include <vector>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// A set of Unicode scalar values: sorted ranges that do not touch. Surrogates are never in it.
class CodePoints {
 public:
  /// Both ends are included.
  struct Range {
    char32_t first = 0;
    char32_t last = 0;
    auto operator<=>(const Range&) const = default;
  };

  static constexpr char32_t kLargest = 0x10FFFF;

  CodePoints() = default;
  CodePoints(std::initializer_list<Range> ranges) : ranges_(ranges) { settle(); }

  static CodePoints all() { return {{0, kLargest}}; }

  const std::vector<Range>& ranges() const noexcept { return ranges_; }
  bool empty() const noexcept { return ranges_.empty(); }

  bool contains(char32_t value) const noexcept;

  void add(const CodePoints& other);

  CodePoints complement() const;

  /// What lies in [first, last].
  CodePoints within(char32_t first, char32_t last) const;

  auto operator<=>(const CodePoints&) const = default;

 private:
  static constexpr char32_t kBelowSurrogates = 0xD7FF;
  static constexpr char32_t kAboveSurrogates = 0xE000;

  void settle();

  std::vector<Range> ranges_;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/unicode/code_points.ipp"
#endif
