// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/schema/json_schema_parts.hpp"

#include <string>

#include "flashlm/text/grammar/grammar.hpp"
#include "support/catch.hpp"
#include "support/grammar.hpp"

using namespace flashlm;
using support::matches;

TEST_CASE("schemas that a value meets together are joined") {
  const std::string both =
      R"({"allOf": [{"$ref": "#/$defs/base"}, {"properties": {"b": {"type": "null"}}, "required":
      ["b"]}], "$defs": {"base": {"type": "object", "properties": {"a": {"type": "integer", "minimum": 3}}}},
      "properties": {"a": {"maximum": 4}}})";
  CHECK(matches(both, R"({"a": 3, "b": null})"));
  CHECK(matches(both, R"({"b": null})"));
  for (const char* text :
       {R"({"a": 5, "b": null})", R"({"a": 2, "b": null})", R"({"a": 3})", "3"}) {
    CHECK_FALSE(matches(both, text));
  }
  CHECK(
      matches(R"({"$ref": "#/$defs/a", "minimum": 3, "$defs": {"a": {"type": "integer"}}})", "3"));
  CHECK_FALSE(
      matches(R"({"$ref": "#/$defs/a", "minimum": 3, "$defs": {"a": {"type": "integer"}}})", "2"));
  CHECK_FALSE(matches(R"({"allOf": [{"type": "integer"}, {"type": ["number", "null"]}]})", "1.5"));
  CHECK_FALSE(
      matches(R"({"anyOf": [{"type": "string"}, {"type": "null"}], "maxLength": 3})", "\"abcd\""));
}

TEST_CASE("up to draft 7 a reference hides its neighbours") {
  const std::string schema =
      R"({"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {"type":
      "integer"}}, "properties": {"p": {"$ref": "#/definitions/a", "maximum": 3}}, "required": ["p"]})";
  CHECK(matches(schema, R"({"p": 4})"));
}

TEST_CASE("alternatives hold together with what stands beside them") {
  const std::string schema =
      R"({"type": "object", "properties": {"a": {"type": "null"}, "b": {"type": "null"}},
      "oneOf": [{"required": ["a"]}, {"required": ["b"]}]})";
  CHECK(matches(schema, R"({"a": null})"));
  CHECK(matches(schema, R"({"b": null})"));
  CHECK_FALSE(matches(schema, R"({"a": null, "b": null})"));
  CHECK_FALSE(matches(schema, "{}"));
}

TEST_CASE(
    "a schema that is met only if it is met has no text, and alternatives without it have theirs") {
  for (const char* schema :
       {R"({"$ref": "#"})", R"({"allOf": [{"$ref": "#"}]})", R"({"anyOf": [{"$ref": "#"}]})"}) {
    CHECK_THROWS_WITH(text::Grammar::from_json_schema(schema),
                      Catch::Matchers::ContainsSubstring("no text can meet"));
  }
  CHECK(matches(R"({"anyOf": [{"$ref": "#"}, {"type": "null"}]})", "null"));
  CHECK_FALSE(matches(R"({"anyOf": [{"$ref": "#"}, {"type": "null"}]})", "1"));
}

TEST_CASE("alternatives that multiply are a FormatError") {
  std::string schema = R"({"allOf": [)";
  for (int index = 0; index < 40; ++index) {
    const std::string name = "p" + std::to_string(index);
    schema += (index > 0 ? ", " : "") + std::string(R"({"anyOf": [{"required": [")") + name +
              R"("]}, {"required": [")" + name + R"(b"]}]})";
  }
  CHECK_THROWS_WITH(text::Grammar::from_json_schema(schema + R"(], "type": "object"})"),
                    Catch::Matchers::ContainsSubstring("too many ways"));
}
