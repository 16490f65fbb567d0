// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/json_schema_subset.hpp"

#include <string>
#include <vector>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"
#include "support/grammar.hpp"

using namespace flashlm;
using text::known_schema;

TEST_CASE("a schema that has a grammar stays as it is") {
  const auto known = known_schema(
      R"({"type": "object", "x-order": ["a"], "properties": {"a": {"pattern": "^a$"}}})");
  CHECK(known.left.empty());
  CHECK(known.schema.contains("x-order"));
}

TEST_CASE("what no grammar knows is left, and the rest holds") {
  const auto known = known_schema(
      R"s({"type": "object", "properties": {"tags": {"type": "array", "contains": {"const": 1},
      "maxItems": 2}, "code": {"type": "string", "pattern": "(?=x)", "maxLength": 2}}, "required": ["tags"]})s");
  CHECK(known.left == std::vector<std::string>{"'pattern' at #/properties/code",
                                               "'contains' at #/properties/tags"});
  const text::Grammar grammar = text::Grammar::from_json_schema(known.schema);
  CHECK(support::matches(grammar, R"({"tags": [2], "code": "ab"})"));
  CHECK_FALSE(support::matches(grammar, R"({"tags": [1, 2, 3]})"));
  CHECK_FALSE(support::matches(grammar, R"({"tags": [], "code": "abc"})"));
}

TEST_CASE("exactly one becomes any of them, and what was made of a keyword is left with it") {
  const auto one = known_schema(
      R"({"oneOf": [{"type": "array", "items": {"type": "null"}}, {"type": "array"}]})");
  CHECK(one.left == std::vector<std::string>{"'oneOf' at #"});
  CHECK(one.schema.contains("anyOf"));
  const auto condition =
      known_schema(R"({"type": "object", "if": {"not": {"contains": {}, "minItems": 1}}, "then":
      {"required": ["a"]}, "properties": {"a": {"contains": {}, "type": "array"}}})");
  CHECK_FALSE(condition.left.empty());
  CHECK_NOTHROW(text::Grammar::from_json_schema(condition.schema));
}

TEST_CASE("where nothing else helps, any object is good") {
  for (const char* schema : {R"({"type": "object", "properties": {"a": 3}})", "3", "false"}) {
    const auto known = known_schema(schema);
    CHECK(known.schema == nlohmann::ordered_json{{"type", "object"}});
    REQUIRE(known.left.size() == 1);
    CHECK(known.left.front().starts_with("all of it, since"));
  }
  CHECK_THROWS_AS(known_schema("{"), FormatError);
}
