// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/json/json_numbers.hpp"

#include <cstdint>
#include <string>

#include "support/catch.hpp"
#include "support/grammar.hpp"

using namespace flashlm;
using support::matches;
using text::Grammar;
using text::GrammarRules;
using text::JsonNumbers;

namespace {

Grammar integers(JsonNumbers::Range range) {
  GrammarRules rules;
  rules.finish(JsonNumbers(rules).integer(range, GrammarRules::end()));
  return Grammar(rules);
}

}  // namespace

TEST_CASE("integers lie within their bounds, all of them") {
  for (const auto& [least, most] :
       {std::pair(-17, 230), {0, 0}, {9, 11}, {-1000, -99}, {-5, 5}, {100, 999}, {1, 1000}}) {
    const Grammar grammar = integers({.least = least, .most = most});
    for (int value = -1200; value <= 1200; ++value) {
      CAPTURE(least, most, value);
      REQUIRE(matches(grammar, std::to_string(value)) == (value >= least && value <= most));
    }
    for (const char* text : {"", "-", "-0", "00", "01", "+1", "1.0", "1e1"})
      CHECK_FALSE(matches(grammar, text));
  }
}

TEST_CASE("bounds that are excluded, missing or large") {
  CHECK_FALSE(matches(integers({.least = 3, .above_least = true}), "3"));
  CHECK(matches(integers({.least = 3, .above_least = true}), "4"));
  CHECK(matches(integers({}), "-123456789012345"));
  CHECK_FALSE(matches(integers({}), "1234567890123456"));
  CHECK(matches(integers({.least = 12345678901234567}), "12345678901234567"));
  CHECK_FALSE(matches(integers({.least = 12345678901234567}), "12345678901234566"));
  CHECK_THROWS_AS(integers({.least = 3, .most = 2}), FormatError);
}

TEST_CASE("digits with any fraction lie between whole numbers") {
  GrammarRules rules;
  rules.finish(JsonNumbers(rules).with_fraction(9, 11, GrammarRules::end()));
  const Grammar grammar(rules);
  for (const char* text : {"9", "9.5", "10.000001", "11.9"}) CHECK(matches(grammar, text));
  for (const char* text : {"8.9", "12", "9.", "09", "9.12345678901234567"})
    CHECK_FALSE(matches(grammar, text));
}

TEST_CASE("any number is one that every reader holds") {
  for (const char* text : {"0", "-0", "12", "-1.5", "1e5", "1.25E-07", "2e+99"})
    CHECK(matches(R"({"type": "number"})", text));
  for (const char* text : {"", "01", ".5", "1.", "1e", "1e999", "--1", "+1", "NaN", "1 "}) {
    CHECK_FALSE(matches(R"({"type": "number"})", text));
  }
}
