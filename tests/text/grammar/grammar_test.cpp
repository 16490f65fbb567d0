// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/grammar.hpp"

#include <string>

#include <nlohmann/json.hpp>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"
#include "support/grammar.hpp"

using namespace flashlm;
using support::matches;
using text::Grammar;

TEST_CASE("every random text of a grammar is JSON that its schema allows") {
  Random random(7);
  for (const std::string& schema : support::example_schemas()) {
    CAPTURE(schema);
    const Grammar grammar = Grammar::from_json_schema(schema);
    const auto parsed = nlohmann::json::parse(schema);
    for (int round = 0; round < 60; ++round) {
      const std::string text = support::random_text(grammar, random, random.next() % 200);
      CAPTURE(text);
      REQUIRE(nlohmann::json::accept(text));
      REQUIRE(support::validates(nlohmann::json::parse(text), parsed, parsed));
      REQUIRE(matches(grammar, text));
    }
  }
}

TEST_CASE("properties come in the order of the schema, whether it is text or parsed") {
  const std::string schema =
      R"({"type": "object", "properties": {"b": {"type": "null"}, "a": {"type": "null"}}})";
  CHECK(matches(schema, R"({"b": null, "a": null})"));
  CHECK_FALSE(matches(schema, R"({"a": null, "b": null})"));
  const Grammar parsed = Grammar::from_json_schema(nlohmann::ordered_json::parse(schema));
  CHECK(matches(parsed, R"({"b": null, "a": null})"));
  CHECK_FALSE(matches(parsed, R"({"a": null, "b": null})"));
}

TEST_CASE("a text that is no JSON is no schema") {
  CHECK_THROWS_AS(Grammar::from_json_schema("{"), FormatError);
  CHECK_THROWS_AS(Grammar::from_json_schema("[]"), FormatError);
  CHECK_THROWS_WITH(Grammar::from_json_schema("{"),
                    Catch::Matchers::ContainsSubstring("[json_schema] not JSON"));
}

TEST_CASE("the shortest text is known") {
  CHECK(Grammar::from_json_schema("{}").shortest() == 1);
  CHECK(Grammar::from_json_schema(R"({"type": "object"})").shortest() == 2);
  CHECK(Grammar::from_json_schema(R"({"type": "string", "minLength": 3})").shortest() == 5);
  CHECK_THROWS_AS(Grammar::from_json_schema(R"({"minLength": 1000000000000000000})"), FormatError);
  text::GrammarRules none;
  none.finish(none.either({}));
  CHECK_THROWS_AS(Grammar(none), FormatError);
}
