// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/automaton/grammar_rules.hpp"

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using text::GrammarRules;

TEST_CASE("the cost of a node is the length of the shortest text to the end of its rule") {
  GrammarRules rules;
  const auto end = GrammarRules::end();
  const auto word = rules.literal("abc", end);
  const auto choice = rules.either({rules.literal("xxxxx", end), rules.literal("yy", end)});
  const auto twice = rules.call(word, rules.call(choice, end));
  const auto loop = rules.loop(word, 3, GrammarRules::kNoLimit, end);
  REQUIRE(rules.finish(twice));
  CHECK(rules.cost(word) == 3);
  CHECK(rules.cost(choice) == 2);
  CHECK(rules.cost(twice) == 5);
  CHECK(rules.cost(loop) == 9);
  CHECK(rules.loop_cost(rules.entry(loop), 2) == 3);
  CHECK(rules.loop_cost(rules.entry(loop), 8) == 0);
}

TEST_CASE("a rule that must contain itself has no text; one that may, has") {
  GrammarRules endless;
  const auto rule = endless.declare();
  endless.define(
      rule, endless.literal("(", endless.call(rule, endless.literal(")", GrammarRules::end()))));
  CHECK_FALSE(endless.finish(rule));

  GrammarRules rules;
  const auto nested = rules.declare();
  rules.define(
      nested,
      rules.either(
          {rules.literal("x", GrammarRules::end()),
           rules.literal("(", rules.call(nested, rules.literal(")", GrammarRules::end())))}));
  REQUIRE(rules.finish(nested));
  CHECK(rules.cost(nested) == 1);
}

TEST_CASE("costs that are too large to count are never reached, and none wraps around") {
  GrammarRules rules;
  const auto often =
      rules.loop(rules.literal("ab", GrammarRules::end()), GrammarRules::kNoLimit - 1,
                 GrammarRules::kNoLimit, GrammarRules::end());
  CHECK_FALSE(rules.finish(often));
  CHECK_FALSE(
      rules.finish(rules.loop(rules.literal("a", GrammarRules::end()), 5, 4, GrammarRules::end())));
}

TEST_CASE("bytes have classes, as many as the rules tell apart") {
  GrammarRules rules;
  const auto digits =
      rules.bytes(text::byte_range('0', '9'), rules.literal("5", GrammarRules::end()));
  REQUIRE(rules.finish(digits));
  CHECK(rules.n_classes() == 3);
  CHECK(rules.byte_class('1') == rules.byte_class('9'));
  CHECK(rules.byte_class('5') != rules.byte_class('9'));
  CHECK(rules.byte_class('x') == rules.byte_class(0xFF));
}

TEST_CASE("ways that need bytes that nobody has are closed") {
  GrammarRules rules;
  const auto start = rules.either(
      {rules.literal("q", GrammarRules::end()), rules.literal("aaa", GrammarRules::end())});
  REQUIRE(rules.finish(start));
  CHECK(rules.is_within(text::bytes_of("aq")));
  CHECK_FALSE(rules.is_within(text::bytes_of("a")));
  CHECK(rules.cost(start) == 1);
  CHECK(rules.close_without(text::bytes_of("a")));
  CHECK(rules.cost(start) == 3);
  CHECK_FALSE(rules.close_without(text::bytes_of("z")));
}

TEST_CASE("rules have a largest size") {
  GrammarRules rules;
  CHECK_THROWS_AS(
      rules.literal(std::string(GrammarRules::kMostNodes + 1, 'a'), GrammarRules::end()),
      FormatError);
}
