// SPDX-License-Identifier: Apache-2.0
/// stop_matcher.hpp: finds stop strings in text that arrives in pieces.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// Lets text through until a stop string is complete, and holds back what may be the beginning of
/// one.
///
/// The stop string that is complete first counts, the longest of those that end at the same place.
/// What comes out does not depend on how the text is cut into pieces. Each stop is matched by
/// Knuth, Morris and Pratt's automaton, so that the cost is linear in the text. Not thread-safe.
class StopMatcher {
 public:
  /// Throws ArgumentError if a stop string is empty.
  explicit StopMatcher(std::vector<std::string> stops = {});

  /// The text that is certain to stand before a stop string. Valid until the next call. Nothing
  /// after a stop.
  std::string_view push(std::string_view text);

  /// Ends the text: what was held back, since no stop string came of it. Valid until the next call.
  std::string_view flush();

  /// True once a stop string was seen.
  bool stopped() const noexcept { return stopped_; }

 private:
  struct Stop {
    explicit Stop(std::string stop);
    void advance(char letter) noexcept;

    std::string text;
    std::vector<std::size_t>
        borders;              // of each prefix: the longest proper prefix that is also its suffix
    std::size_t matched = 0;  // how much of the stop the text ends with
  };

  std::vector<Stop> stops_;
  std::string held_;
  std::string out_;
  bool stopped_ = false;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/generation/stop_matcher.ipp"
#endif
