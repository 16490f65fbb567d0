// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/automaton/grammar_states.hpp"

#include <string>
#include <string_view>

#include "support/catch.hpp"
#include "support/grammar.hpp"

using namespace flashlm;
using text::Grammar;
using text::GrammarStates;

namespace {

GrammarStates::State after(GrammarStates& states, std::string_view text) {
  GrammarStates::State at = states.start();
  for (const char byte : text) at = states.next(at, static_cast<unsigned char>(byte));
  return at;
}

}  // namespace

TEST_CASE("the shortest text to an end is known behind every byte") {
  const Grammar grammar = Grammar::from_json_schema(support::example_schemas()[8]);
  GrammarStates states(grammar.rules());
  Random random(3);
  for (int round = 0; round < 20; ++round) {
    const std::string text = support::random_text(grammar, random, 80);
    CAPTURE(text);
    for (std::size_t length = 0; length <= text.size(); ++length) {
      const GrammarStates::State at = after(states, text.substr(0, length));
      const std::string rest = states.shortest(at);
      REQUIRE(rest.size() == states.to_end(at));
      REQUIRE(support::matches(grammar, text.substr(0, length) + rest));
    }
  }
}

TEST_CASE("a byte without an alternative is forced") {
  const Grammar grammar = Grammar::from_json_schema(
      R"({"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]})");
  GrammarStates states(grammar.rules());
  CHECK(states.forced(states.start()) == '{');
  CHECK(states.forced(after(states, R"({"on":)")) == ' ');
  CHECK(states.forced(after(states, R"({"on": )")) == -1);
  CHECK(states.forced(after(states, R"({"on": t)")) == 'r');
  CHECK(states.must_end(after(states, R"({"on": true})")));
  CHECK(after(states, R"({"off)") == GrammarStates::kDead);
  CHECK(states.next(GrammarStates::kDead, '{') == GrammarStates::kDead);
}

TEST_CASE("a number may end and go on") {
  const Grammar grammar = Grammar::from_json_schema(R"({"type": "integer"})");
  GrammarStates states(grammar.rules());
  const GrammarStates::State at = after(states, "12");
  CHECK(states.may_end(at));
  CHECK_FALSE(states.must_end(at));
  CHECK(states.forced(at) == -1);
}

TEST_CASE("states can be forgotten but for one") {
  const Grammar grammar = Grammar::from_json_schema(support::example_schemas()[19]);
  GrammarStates states(grammar.rules());
  Random random(5);
  for (int round = 0; round < 20; ++round) {
    const std::string text = support::random_text(grammar, random, 100);
    GrammarStates fresh(grammar.rules());
    GrammarStates::State at = fresh.start();
    for (const char byte : text) {
      const GrammarStates::Cost cost = fresh.to_end(at);
      at = fresh.forget_all_but(at);
      REQUIRE(fresh.to_end(at) == cost);
      REQUIRE(fresh.size() == 2);
      at = fresh.next(at, static_cast<unsigned char>(byte));
    }
    REQUIRE(fresh.may_end(at));
  }
}

TEST_CASE("an ambiguous recursion is narrowed, not unbounded") {
  const Grammar grammar = Grammar::from_json_schema(
      R"({"anyOf": [{"type": "array", "items": {"$ref": "#"}, "maxItems": 2}, {"type": "array", "items": {"$ref": "#"}}]})");
  GrammarStates states(grammar.rules());
  const std::string deep(60, '[');
  const GrammarStates::State at = after(states, deep);
  REQUIRE(at != GrammarStates::kDead);
  CHECK(states.shortest(at) == std::string(60, ']'));
}

TEST_CASE("states that differ in far counts only are of one kind") {
  const Grammar grammar =
      Grammar::from_json_schema(R"({"type": "string", "minLength": 30, "maxLength": 100})");
  GrammarStates states(grammar.rules());
  const auto kind = [&](std::size_t length) {
    return states.kind(after(states, "\"" + std::string(length, 'x')), 8);
  };
  CHECK(kind(3) == kind(20));
  CHECK(kind(3) != kind(25));  // 30 is near
  CHECK(kind(25) != kind(26));
  CHECK(kind(40) == kind(90));
  CHECK(kind(40) != kind(3));
  CHECK(kind(95) != kind(96));  // 100 is near
}

TEST_CASE("the memory of states is counted, and given back") {
  const Grammar grammar = Grammar::from_json_schema(R"({"type": "string", "minLength": 60000})");
  GrammarStates states(grammar.rules());
  GrammarStates::State at = after(states, "\"" + std::string(20'000, 'x'));
  const std::size_t used = states.bytes();
  CHECK(used > 20'000 * sizeof(GrammarStates::State));
  at = states.forget_all_but(at);
  CHECK(states.bytes() < used / 1000);
  CHECK(states.to_end(at) == 40'001);
}
