// SPDX-License-Identifier: Apache-2.0
/// stop_matcher.ipp: the bodies of stop_matcher.hpp.
#pragma once

#include "flashlm/text/generation/stop_matcher.hpp"

#include <algorithm>
#include <utility>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE StopMatcher::StopMatcher(std::vector<std::string> stops) {
  for (std::string& stop : stops) {
    if (stop.empty())
      throw ArgumentError("[stop_matcher] stop: expected a string of at least 1 byte, got 0");
    stops_.emplace_back(std::move(stop));
  }
}

FLASHLM_INLINE std::string_view StopMatcher::push(std::string_view text) {
  out_.clear();
  if (stopped_) return out_;
  for (const char letter : text) {
    held_ += letter;
    std::size_t matched = 0;
    for (Stop& stop : stops_) {
      stop.advance(letter);
      if (stop.matched == stop.text.size()) matched = std::max(matched, stop.matched);
    }
    if (matched != 0) {
      out_ = held_.substr(0, held_.size() - matched);
      held_.clear();
      stopped_ = true;
      return out_;
    }
  }
  std::size_t kept = 0;
  for (const Stop& stop : stops_) kept = std::max(kept, stop.matched);
  out_ = held_.substr(0, held_.size() - kept);
  held_.erase(0, held_.size() - kept);
  return out_;
}

FLASHLM_INLINE std::string_view StopMatcher::flush() {
  out_ = std::exchange(held_, {});
  for (Stop& stop : stops_) stop.matched = 0;
  return out_;
}

FLASHLM_INLINE StopMatcher::Stop::Stop(std::string stop)
    : text(std::move(stop)), borders(text.size(), 0) {
  for (std::size_t index = 1; index < text.size(); ++index) {
    std::size_t border = borders[index - 1];
    while (border > 0 && text[border] != text[index]) border = borders[border - 1];
    borders[index] = border + (text[border] == text[index] ? 1 : 0);
  }
}

FLASHLM_INLINE void StopMatcher::Stop::advance(char letter) noexcept {
  while (matched > 0 && text[matched] != letter) matched = borders[matched - 1];
  if (text[matched] == letter) ++matched;
}

}  // namespace flashlm::inline FLASHLM_ABI::text
