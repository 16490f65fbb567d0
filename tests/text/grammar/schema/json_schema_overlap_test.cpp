// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/schema/json_schema_overlap.hpp"

#include <string>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"
#include "support/grammar.hpp"

using flashlm::text::Grammar;

TEST_CASE("alternatives that differ in type, value or a required property are apart") {
  for (
      const char* schema :
      {R"({"oneOf": [{"type": "string"}, {"type": ["integer", "null"]}, {"type": "array"}]})",
       R"({"oneOf": [{"const": 1}, {"const": 2}, {"const": 2.5}, {"enum": ["a", "b"]}, {"type": "object"}]})",
       R"({"oneOf": [{"const": 1.5}, {"type": "integer"}]})",
       R"({"oneOf": [{"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "boolean"}]})",
       R"({"oneOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}], "$defs": {
            "a": {"properties": {"kind": {"const": "a"}}, "required": ["kind"]},
            "b": {"properties": {"kind": {"enum": ["b", "c"]}}, "required": ["kind"]}}})"}) {
    CAPTURE(schema);
    CHECK_NOTHROW(Grammar::from_json_schema(schema));
  }
}

TEST_CASE("of alternatives that a value might meet both, exactly one is met") {
  using support::matches;
  const std::string standard =
      R"({"oneOf": [{"type": "string"}, {"maximum": 0}]})";  // "a" meets both
  CHECK_THROWS_WITH(Grammar::from_json_schema(
                        R"({"type": "string", "oneOf": [{"type": "string"}, {"maximum": 0}]})"),
                    Catch::Matchers::ContainsSubstring("no text can meet"));
  CHECK_FALSE(matches(standard, "\"a\""));
  CHECK(matches(standard, "-1"));
  CHECK_FALSE(matches(R"({"oneOf": [{"minLength": 2}, {"type": "integer"}]})", "5"));
  CHECK_FALSE(matches(R"({"oneOf": [{}, {"type": "null"}]})", "null"));
  CHECK(matches(R"({"oneOf": [true, {"type": "null"}]})", "3"));
  const std::string strings = R"({"oneOf": [{"type": "string", "maxLength": 3}, {"const": "a"}]})";
  CHECK(matches(strings, "\"ab\""));
  CHECK_FALSE(matches(strings, "\"a\""));
  // What stands beside says the type, or is about more than the alternatives.
  const std::string beside =
      R"({"minLength": 1, "oneOf": [{"properties": {"k": {"const": 1}}, "required": ["k"]},
      {"properties": {"k": {"const": 2}}, "required": ["k"]}]})";
  CHECK(matches(beside, R"({"k": 2})"));
  CHECK_FALSE(matches(beside, "\"text\""));
  const std::string kinds =
      R"({"oneOf": [{"properties": {"kind": {"const": "a"}}}, {"properties": {"kind": {"const": "b"}}}]})";
  CHECK(matches(kinds, R"({"kind": "a"})"));
  CHECK_FALSE(matches(kinds, "{}"));
  const std::string values =
      R"({"oneOf": [{"enum": [{"a": 1, "b": 2}]}, {"enum": [{"b": 2, "a": 1}, 3]}]})";
  CHECK(matches(values, "3"));
  CHECK_FALSE(matches(values, R"({"a": 1, "b": 2})"));
}

TEST_CASE("alternatives that cannot be told apart are refused") {
  for (
      const char* schema :
      {R"({"oneOf": [{"type": "array", "items": {"type": "null"}}, {"type": "array", "maxItems": 3}]})",
       R"({"oneOf": [{"type": "string", "nullable": true}, {"type": "null", "nullable": true}]})"}) {
    CAPTURE(schema);
    CHECK_THROWS_WITH(Grammar::from_json_schema(schema),
                      Catch::Matchers::ContainsSubstring("oneOf"));
  }
}

TEST_CASE(
    "an alternative is written in any type although another one, which is not written, is about "
    "some") {
  using support::matches;
  CHECK_FALSE(
      matches(R"({"oneOf": [{"type": "array"}, {"type": "number", "minimum": -22}, {}]})", "[]"));
  CHECK_FALSE(matches(
      R"({"oneOf": [{"type": "integer", "minimum": 4}, {"enum": [true]}, {"x-vendor": 1}]})",
      "true"));
  CHECK_FALSE(
      matches(R"({"minItems": 1, "oneOf": [{"maximum": 3}, {"minItems": 1}, {"type": "string"}]})",
              "\"\""));
}
