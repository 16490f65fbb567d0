// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/generation/stop_matcher.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/random.hpp"
#include "support/catch.hpp"

using flashlm::text::StopMatcher;
using Stops = std::vector<std::string>;

namespace {

struct Outcome {
  std::string text;
  bool stopped;
};

/// The definition, byte by byte: the stop that ends first, the longest of those.
Outcome reference(const Stops& stops, const std::string& text) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::size_t longest = 0;
    for (const std::string& stop : stops) {
      if (stop.size() <= end && text.compare(end - stop.size(), stop.size(), stop) == 0) {
        longest = std::max(longest, stop.size());
      }
    }
    if (longest != 0) return {text.substr(0, end - longest), true};
  }
  return {text, false};
}

}  // namespace

TEST_CASE("text before a stop string comes out, and nothing after it") {
  StopMatcher matcher({"</end>"});
  CHECK(matcher.push("one <") == "one ");
  CHECK(matcher.push("/e") == "");
  CHECK(matcher.push("x </en") == "</ex ");
  CHECK_FALSE(matcher.stopped());
  CHECK(matcher.push("d> tail") == "");
  CHECK(matcher.stopped());
  CHECK(matcher.push("more") == "");
  CHECK(matcher.flush() == "");
}

TEST_CASE("what was held back comes out at the end") {
  StopMatcher matcher({"abc"});
  CHECK(matcher.push("xab") == "x");
  CHECK(matcher.flush() == "ab");
  CHECK_FALSE(matcher.stopped());
}

TEST_CASE("without stop strings everything passes at once") {
  StopMatcher matcher;
  CHECK(matcher.push("text") == "text");
  CHECK(matcher.flush() == "");
}

TEST_CASE("an empty stop string is an ArgumentError") {
  CHECK_THROWS_AS(StopMatcher(Stops{"a", ""}), flashlm::ArgumentError);
}

TEST_CASE("the text that comes out does not depend on how it is cut") {
  flashlm::Random random(11);
  const Stops parts = {"a", "b", "aa", "ab", "\xc3\xa9", "\xe2\x82\xac"};
  const auto make = [&](std::uint64_t most) {
    std::string text;
    for (std::uint64_t count = 1 + random.next() % most; count > 0; --count)
      text += parts[random.next() % parts.size()];
    return text;
  };
  for (int round = 0; round < 3000; ++round) {
    Stops stops;
    for (std::uint64_t count = random.next() % 4; count > 0; --count) stops.push_back(make(5));
    const std::string text = make(20);
    const Outcome expected = reference(stops, text);
    for (int cut = 0; cut < 3; ++cut) {
      StopMatcher matcher(stops);
      std::string out;
      for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t length =
            cut == 0 ? 1 : std::min<std::size_t>(random.next() % 7, text.size() - begin);
        out += matcher.push(std::string_view(text).substr(begin, length));
        CHECK(expected.text.compare(0, out.size(), out) == 0);
        begin += length;
      }
      out += matcher.flush();
      CHECK(out == expected.text);
      CHECK(matcher.stopped() == expected.stopped);
    }
  }
}

TEST_CASE("many beginnings of a stop string cost no more than their length") {
  StopMatcher matcher({std::string(5000, 'a') + "b"});
  std::size_t out = 0;
  const std::string text(200000, 'a');
  for (std::size_t begin = 0; begin < text.size(); begin += 100)
    out += matcher.push(text.substr(begin, 100)).size();
  CHECK(out == text.size() - 5000);
}
