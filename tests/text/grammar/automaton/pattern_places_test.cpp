// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/automaton/pattern_places.hpp"

#include <string>
#include <string_view>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"

using namespace flashlm::text;

namespace {

bool found(std::string_view pattern, std::string_view text,
           PatternReading reading = PatternReading::certain) {
  const PatternPlaces places(Pattern(pattern, reading), reading);
  PatternPlaces::Set at = places.start();
  for (const char each : text) at = places.step(at, static_cast<unsigned char>(each));
  return places.matches(at, text.empty());
}

}  // namespace

TEST_CASE("a pattern is found anywhere unless anchors say otherwise") {
  CHECK(found("b", "abc"));
  CHECK_FALSE(found("^b", "abc"));
  CHECK_FALSE(found("b$", "abc"));
  CHECK(found("^a|x$", "abc"));
  CHECK(found("^a|c$", "xc"));
  CHECK_FALSE(found("^a$", "aa"));
  CHECK(found("^$", ""));
  CHECK_FALSE(found("^$", "a"));
  CHECK(found("(^|,)x", "a,x"));
  CHECK_FALSE(found("a^b", "ab"));
}

TEST_CASE("quantifiers repeat what stands before them") {
  CHECK(found("^(ab){2,3}$", "abab"));
  CHECK(found("^(ab){2,3}$", "ababab"));
  CHECK_FALSE(found("^(ab){2,3}$", "ab"));
  CHECK_FALSE(found("^(ab){2,3}$", "abababab"));
  CHECK(found("^a{0}b$", "b"));
  CHECK(found("^(a|b)*c+d?$", "abbacc"));
  CHECK(found("^(a*)*$", "aaa"));
  CHECK(found("^((a?)+)+$", ""));
}

TEST_CASE("a line feed may follow the end for some readers") {
  CHECK_FALSE(found("^a$", "a\n"));
  CHECK(found("^a$", "a\n", PatternReading::possible));
}

TEST_CASE("repetitions that multiply are a FormatError, at once") {
  std::string nested = "a";
  for (int level = 0; level < 8; ++level) nested = "(" + nested + "){100}";
  CHECK_THROWS_AS(found(nested, "a"), flashlm::FormatError);
  std::string loops = "a";
  for (int level = 0; level < 40; ++level) loops = "(" + loops + "+)+";
  CHECK_THROWS_AS(found(loops, "a"), flashlm::FormatError);
}
