// SPDX-License-Identifier: Apache-2.0
/// code_points.hpp: sets of Unicode characters as ranges.
#pragma once

#include <algorithm>
#include <compare>
#include <initializer_list>
#include <vector>

namespace flashlm::inline v0::text {

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

  bool contains(char32_t value) const noexcept {
    const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), value,
                                        [](char32_t point, const Range& range) { return point < range.first; });
    return after != ranges_.begin() && value <= (after - 1)->last;
  }

  void add(const CodePoints& other) {
    ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
    settle();
  }

  CodePoints complement() const {
    CodePoints result;
    char32_t next = 0;
    for (const Range& range : ranges_) {
      if (range.first > next) result.ranges_.push_back({next, range.first - 1});
      next = range.last + 1;
    }
    if (next <= kLargest) result.ranges_.push_back({next, kLargest});
    result.settle();
    return result;
  }

  /// What lies in [first, last].
  CodePoints within(char32_t first, char32_t last) const {
    CodePoints result;
    for (const Range& range : ranges_) {
      const Range common{std::max(range.first, first), std::min(range.last, last)};
      if (common.first <= common.last) result.ranges_.push_back(common);
    }
    return result;
  }

  auto operator<=>(const CodePoints&) const = default;

 private:
  static constexpr char32_t kBelowSurrogates = 0xD7FF;
  static constexpr char32_t kAboveSurrogates = 0xE000;

  void settle() {
    std::vector<Range> parts;
    for (const Range& range : ranges_) {
      const Range low{range.first, std::min(range.last, kBelowSurrogates)};
      const Range high{std::max(range.first, kAboveSurrogates), std::min(range.last, kLargest)};
      if (low.first <= low.last) parts.push_back(low);
      if (high.first <= high.last) parts.push_back(high);
    }
    std::sort(parts.begin(), parts.end());
    ranges_.clear();
    for (const Range& range : parts) {
      if (!ranges_.empty() && range.first <= ranges_.back().last + 1) {
        ranges_.back().last = std::max(ranges_.back().last, range.last);
      } else {
        ranges_.push_back(range);
      }
    }
  }

  std::vector<Range> ranges_;
};

}  // namespace flashlm::inline v0::text
