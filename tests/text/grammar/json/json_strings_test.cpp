// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/json/json_strings.hpp"

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "flashlm/base/random.hpp"
#include "flashlm/text/grammar/grammar.hpp"
#include "flashlm/text/grammar/json/json_rules.hpp"
#include "flashlm/text/unicode/utf8.hpp"
#include "support/catch.hpp"
#include "support/grammar.hpp"

using namespace flashlm::text;

namespace {

Grammar strings(const PatternStates& states) {
  GrammarRules rules;
  const auto rule = JsonStrings(rules).rule(states);
  REQUIRE(rules.finish(rule));
  return Grammar(std::move(rules));
}

}  // namespace

TEST_CASE("strings are those of the automaton, each in one spelling") {
  const PatternStates states = PatternStates::of_pattern("^[\\x00-\\u{10FFFF}]{1,2}$");
  const Grammar grammar = strings(states);
  for (const char32_t point : {0x0u, 0x8u, 0xAu, 0x1Fu, 0x20u, 0x22u, 0x41u, 0x5Cu, 0x7Fu, 0x80u,
                               0x7FFu, 0x800u, 0xD7FFu, 0xE000u, 0xFFFFu, 0x10000u, 0x10FFFFu}) {
    std::string text;
    append_utf8(text, point);
    CAPTURE(text);
    CHECK(support::matches(grammar, JsonRules::quoted(text)));
  }
  CHECK_FALSE(support::matches(grammar, "\"\\u0041\""));
  CHECK_FALSE(support::matches(grammar, "\"\""));
  CHECK_FALSE(support::matches(grammar, "\"\xed\xa0\x80\""));
  CHECK_FALSE(support::matches(grammar, "\"abc\""));
}

TEST_CASE("ranges of characters are cut where their bytes are") {
  const Grammar grammar = strings(PatternStates::of_pattern("^[\\u00e9-\\u{1F600}]$"));
  for (const char32_t point : {0xE9u, 0xFFu, 0x100u, 0x7FFu, 0x801u, 0xFFFFu, 0x10000u, 0x1F600u,
                               0xE8u, 0x1F601u, 0x41u}) {
    std::string text;
    append_utf8(text, point);
    CHECK(support::matches(grammar, "\"" + text + "\"") == (point >= 0xE9 && point <= 0x1F600));
  }
}

TEST_CASE("random strings are JSON and belong to the pattern") {
  flashlm::Random random(3);
  for (const char* pattern :
       {"^[a-z]+@[a-z]+\\.(com|org)$", "\"", "^(\\\\|\\n|[^a]){2,5}$", "\\W\\s\\D"}) {
    const PatternStates states = PatternStates::of_pattern(pattern);
    const Grammar grammar = strings(states);
    for (int round = 0; round < 40; ++round) {
      const std::string text = support::random_text(grammar, random, random.next() % 40);
      CAPTURE(text);
      REQUIRE(nlohmann::json::accept(text));
      REQUIRE(states.contains(nlohmann::json::parse(text).get<std::string>()));
    }
  }
}
