// SPDX-License-Identifier: Apache-2.0
/// code_points.ipp: the bodies of code_points.hpp.
#pragma once

#include "flashlm/text/unicode/code_points.hpp"

#include <algorithm>

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE bool CodePoints::contains(char32_t value) const noexcept {
  const auto after =
      std::upper_bound(ranges_.begin(), ranges_.end(), value,
                       [](char32_t point, const Range& range) { return point < range.first; });
  return after != ranges_.begin() && value <= (after - 1)->last;
}

FLASHLM_INLINE void CodePoints::add(const CodePoints& other) {
  ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  settle();
}

FLASHLM_INLINE CodePoints CodePoints::complement() const {
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

FLASHLM_INLINE CodePoints CodePoints::within(char32_t first, char32_t last) const {
  CodePoints result;
  for (const Range& range : ranges_) {
    const Range common{std::max(range.first, first), std::min(range.last, last)};
    if (common.first <= common.last) result.ranges_.push_back(common);
  }
  return result;
}

FLASHLM_INLINE void CodePoints::settle() {
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

}  // namespace flashlm::inline FLASHLM_ABI::text
