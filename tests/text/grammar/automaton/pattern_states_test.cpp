// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/automaton/pattern_states.hpp"

#include <string>
#include <string_view>
#include <utility>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"

using namespace flashlm::text;
using flashlm::FormatError;

TEST_CASE("the states of a pattern are its language") {
  const PatternStates date = PatternStates::of_pattern("^\\d{4}-(0[1-9]|1[0-2])$");
  CHECK(date.contains("2026-11"));
  CHECK_FALSE(date.contains("2026-13"));
  CHECK_FALSE(date.contains("2026-11-"));
  CHECK(date.lengths() == std::pair<std::uint64_t, std::uint64_t>(7, 7));
  const PatternStates word = PatternStates::of_pattern("\xc3\xa9+");
  CHECK(word.contains("caf\xc3\xa9s"));
  CHECK_FALSE(word.contains("cafe"));
  CHECK(word.lengths() == std::pair(std::uint64_t{1}, PatternStates::kEndless));
  CHECK(PatternStates::of_pattern("a^b").empty());
}

TEST_CASE("languages are joined and turned over") {
  const PatternStates letters = PatternStates::of_pattern("^[a-z]*$");
  const PatternStates both = PatternStates::both(letters, PatternStates::of_length(2, 3));
  for (const char* text : {"ab", "abc"}) CHECK(both.contains(text));
  for (const char* text : {"a", "abcd", "AB"}) CHECK_FALSE(both.contains(text));
  const PatternStates others = letters.complement();
  CHECK_FALSE(others.contains("abc"));
  CHECK(others.contains("aBc"));
  CHECK(others.contains("\xf0\x9f\x98\x80"));
  CHECK(PatternStates::both(letters, others).empty());
  CHECK(PatternStates::both(letters, others).complement().contains("x"));
  const PatternStates words = PatternStates::of_words({"a", "ab", "\xc3\xa9"});
  for (const char* text : {"a", "ab", "\xc3\xa9"}) {
    CHECK(words.contains(text));
    CHECK_FALSE(words.complement().contains(text));
  }
  CHECK_FALSE(words.contains("b"));
  CHECK(words.complement().contains("abc"));
  CHECK(PatternStates::of_length(3, 2).empty());
  CHECK(PatternStates::of_length(2, PatternStates::kEndless).lengths().first == 2);
}

TEST_CASE("more states than are kept are a FormatError") {
  CHECK_THROWS_AS(PatternStates::of_pattern("(a|b)*a(a|b){14}"), FormatError);
  CHECK_THROWS_AS(PatternStates::of_length(0, 5000), FormatError);
  CHECK_NOTHROW(PatternStates::of_pattern("^[a-z]{1,4000}$"));
}
