// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/schema/json_schema_negation.hpp"

#include <string>

#include "flashlm/text/grammar/grammar.hpp"
#include "support/catch.hpp"
#include "support/grammar.hpp"

using namespace flashlm;
using support::matches;
using Json = nlohmann::ordered_json;

TEST_CASE("the same is made once") {
  const Json json = Json::parse(R"({"not": {"type": "null"}})");
  const text::JsonSchemaView view(json);
  text::JsonSchemaNegation negation(view);
  const auto one = negation.make(view.root(), "not", "0", Json(true));
  CHECK(negation.make(view.root(), "not", "0", Json(true)).json == one.json);
  CHECK(negation.make(view.root(), "not", "1", Json(true)).json != one.json);
}

TEST_CASE("not is the opposite where that can be said") {
  CHECK(matches(R"({"not": {"type": ["string", "number"]}})", "null"));
  CHECK_FALSE(matches(R"({"not": {"type": ["string", "number"]}})", "3"));
  CHECK(matches(R"({"type": "string", "not": {"const": "a"}})", "\"ab\""));
  CHECK_FALSE(matches(R"({"type": "string", "not": {"enum": ["a", "b"]}})", "\"a\""));
  CHECK(matches(R"({"type": "integer", "not": {"enum": [1, 3]}})", "2"));
  CHECK_FALSE(matches(R"({"type": "integer", "not": {"enum": [1, 3]}})", "3"));
  CHECK_FALSE(matches(R"({"type": "string", "not": {"pattern": "x"}})", "\"axb\""));
  CHECK(matches(R"({"type": "string", "not": {"pattern": "x"}})", "\"ab\""));
  CHECK_FALSE(matches(R"({"type": "boolean", "not": {"const": true}})", "true"));
  CHECK(matches(R"({"type": "integer", "not": {"minimum": 5}})", "4"));
  CHECK_FALSE(matches(R"({"type": "integer", "not": {"minimum": 5}})", "5"));
  const std::string lacks =
      R"({"properties": {"a": {"type": "null"}, "b": {"type": "null"}}, "not": {"required": ["a"]}})";
  CHECK(matches(lacks, R"({"b": null})"));
  CHECK_FALSE(matches(lacks, R"({"a": null})"));
  CHECK_THROWS_WITH(
      text::Grammar::from_json_schema(R"({"type": "array", "not": {"items": {"type": "null"}}})"),
      Catch::Matchers::ContainsSubstring("unsupported keyword 'not'"));
}

TEST_CASE("conditions and dependencies hold") {
  const std::string schema =
      R"({"type": "object", "properties": {"kind": {"enum": ["a", "b"]}, "x": {"type": "null"}},
      "required": ["kind"], "if": {"properties": {"kind": {"const": "a"}}}, "then": {"required": ["x"]}})";
  CHECK(matches(schema, R"({"kind": "a", "x": null})"));
  CHECK(matches(schema, R"({"kind": "b"})"));
  CHECK_FALSE(matches(schema, R"({"kind": "a"})"));
  const std::string depends = R"({"properties": {"a": {"type": "null"}, "b": {"type": "null"}},
      "dependentRequired": {"a": ["b"]}})";
  CHECK(matches(depends, R"({"a": null, "b": null})"));
  CHECK(matches(depends, R"({"b": null})"));
  CHECK_FALSE(matches(depends, R"({"a": null})"));
}
