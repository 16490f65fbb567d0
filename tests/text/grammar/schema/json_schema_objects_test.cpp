// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/schema/json_schema_objects.hpp"

#include <string>

#include "flashlm/text/grammar/grammar.hpp"
#include "support/catch.hpp"
#include "support/grammar.hpp"

using namespace flashlm;
using support::matches;

TEST_CASE("names follow patterns, and what has none is additional") {
  const std::string schema =
      R"({"type": "object", "properties": {"x1": {"maximum": 5}}, "patternProperties": {"^x": {"type":
      "integer"}, "y$": {"type": "string"}}, "additionalProperties": {"type": "boolean"}})";
  for (const char* text :
       {"{}", R"({"x1": 5})", R"({"x2": 9, "ay": "", "b": true})", R"({"x1": 3, "x9": 9})"}) {
    CAPTURE(text);
    CHECK(matches(schema, text));
  }
  // A name that has both patterns could only mean nothing: it is left out.
  for (const char* text :
       {R"({"x1": 6})", R"({"x1": true})", R"({"x2": true})", R"({"b": 1})", R"({"xy": 1})"}) {
    CAPTURE(text);
    CHECK_FALSE(matches(schema, text));
  }
  const std::string closed =
      R"({"patternProperties": {"^[a-z]{2}$": {"type": "null"}}, "additionalProperties": false})";
  CHECK(matches(closed, R"({"ab": null})"));
  CHECK_FALSE(matches(closed, R"({"abc": null})"));
  CHECK(matches(R"({"patternProperties": {"^\\d$": {"type": "null"}}, "required": ["5"]})",
                R"({"5": null})"));
}

TEST_CASE("the names of properties meet a schema") {
  const std::string schema =
      R"({"type": "object", "propertyNames": {"pattern": "^[a-z]+$", "maxLength": 3},
      "additionalProperties": {"type": "null"}})";
  CHECK(matches(schema, R"({"abc": null})"));
  for (const char* text : {R"({"abcd": null})", R"({"A": null})", R"({"": null})"})
    CHECK_FALSE(matches(schema, text));
  CHECK(matches(
      R"({"propertyNames": {"enum": ["a", "b"]}, "additionalProperties": {"type": "null"}})",
      R"({"b": null})"));
  CHECK_THROWS_WITH(
      text::Grammar::from_json_schema(
          R"({"type": "object", "propertyNames": {"maxLength": 1}, "required": ["ab"]})"),
      Catch::Matchers::ContainsSubstring("no text can meet"));
}

TEST_CASE("properties are counted") {
  const std::string schema =
      R"({"type": "object", "properties": {"a": {"type": "null"}, "b": {"type": "null"}, "c": {"type":
      "null"}}, "minProperties": 1, "maxProperties": 2})";
  for (const char* text : {R"({"a": null})", R"({"b": null, "c": null})"})
    CHECK(matches(schema, text));
  for (const char* text : {"{}", R"({"a": null, "b": null, "c": null})"})
    CHECK_FALSE(matches(schema, text));
  // Others might get one name twice: they count as one.
  CHECK_THROWS_AS(text::Grammar::from_json_schema(R"({"type": "object", "minProperties": 2})"),
                  FormatError);
  CHECK(matches(R"({"type": "object", "minProperties": 1, "maxProperties": 1})", R"({"a": 1})"));
  CHECK_FALSE(matches(R"({"type": "object", "minProperties": 1, "maxProperties": 1})",
                      R"({"a": 1, "b": 1})"));
}

TEST_CASE("a property that cannot be is not there") {
  const std::string schema = R"({"properties": {"a": false, "b": {"type": "null"}}})";
  CHECK(matches(schema, R"({"b": null})"));
  CHECK_FALSE(matches(schema, R"({"a": null})"));
}
