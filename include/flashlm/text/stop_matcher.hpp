// SPDX-License-Identifier: Apache-2.0
/// stop_matcher.hpp: finds stop strings in text that arrives in pieces.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"

namespace flashlm::inline v0::text {

/// Lets text through until a stop string is complete, and holds back what may be the beginning of one.
///
/// The stop string that is complete first counts, the longest of those that end at the same place. What comes out does
/// not depend on how the text is cut into pieces. Each stop is matched by Knuth, Morris and Pratt's automaton, so that
/// the cost is linear in the text. Not thread-safe.
class StopMatcher {
 public:
  /// Throws ArgumentError if a stop string is empty.
  explicit StopMatcher(std::vector<std::string> stops = {}) {
    for (std::string& stop : stops) {
      if (stop.empty()) throw ArgumentError("[stop_matcher] stop: expected a string of at least 1 byte, got 0");
      stops_.emplace_back(std::move(stop));
    }
  }

  /// The text that is certain to stand before a stop string. Valid until the next call. Nothing after a stop.
  std::string_view push(std::string_view text) {
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

  /// Ends the text: what was held back, since no stop string came of it. Valid until the next call.
  std::string_view flush() {
    out_ = std::exchange(held_, {});
    for (Stop& stop : stops_) stop.matched = 0;
    return out_;
  }

  /// True once a stop string was seen.
  bool stopped() const noexcept { return stopped_; }

 private:
  struct Stop {
    explicit Stop(std::string stop) : text(std::move(stop)), borders(text.size(), 0) {
      for (std::size_t index = 1; index < text.size(); ++index) {
        std::size_t border = borders[index - 1];
        while (border > 0 && text[border] != text[index]) border = borders[border - 1];
        borders[index] = border + (text[border] == text[index] ? 1 : 0);
      }
    }
    void advance(char letter) noexcept {
      while (matched > 0 && text[matched] != letter) matched = borders[matched - 1];
      if (text[matched] == letter) ++matched;
    }

    std::string text;
    std::vector<std::size_t> borders;  // of each prefix: the longest proper prefix that is also its suffix
    std::size_t matched = 0;           // how much of the stop the text ends with
  };

  std::vector<Stop> stops_;
  std::string held_;
  std::string out_;
  bool stopped_ = false;
};

}  // namespace flashlm::inline v0::text
