// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/schema/json_schema.hpp"

#include <string>

#include <nlohmann/json.hpp>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/io/file.hpp"
#include "flashlm/text/grammar/schema/json_schema_words.hpp"
#include "support/catch.hpp"
#include "support/grammar.hpp"

using namespace flashlm;
using support::matches;
using text::Grammar;

namespace {

void check_refused(std::string_view schema, const std::string& part) {
  CAPTURE(schema);
  CHECK_THROWS_AS(Grammar::from_json_schema(schema), FormatError);
  CHECK_THROWS_WITH(Grammar::from_json_schema(schema), Catch::Matchers::ContainsSubstring(part));
}

}  // namespace

TEST_CASE("an unsupported keyword is an error that names it, its place and the way out") {
  check_refused(R"({"type": "object", "properties": {"a/b": {"type": "array", "contains": {}}}})",
                "#/properties/a~1b: unsupported keyword 'contains'");
  check_refused(R"({"items": {"contains": {}}})",
                "Take it out of the schema and check for it in the answer");
  for (const char* keyword :
       {"contains", "unevaluatedItems", "unevaluatedProperties", "$dynamicRef", "$recursiveRef"}) {
    check_refused(nlohmann::json{{keyword, true}}.dump(), keyword);
  }
  // Beside a type that they are not about they say nothing.
  CHECK(matches(
      R"s({"type": "null", "contains": {}, "unevaluatedProperties": false, "pattern": "(?=a)"})s",
      "null"));
}

TEST_CASE("words that JSON schema does not know say nothing") {
  for (const char* word :
       {"x-order", "_format", "self", "typo", "$comment", "title", "id", "examples", "format"}) {
    for (const char* value : {"3", "\"x\"", "[1]", "{\"type\": 7}", "null"}) {
      CAPTURE(word, value);
      CHECK(matches(std::string("{\"type\": \"null\", \"") + word + "\": " + value + "}", "null"));
    }
  }
  CHECK(matches(R"({"x-order": 1})", "[1, {\"a\": null}]"));
}

TEST_CASE(
    "every keyword that a grammar knows is in the documentation, and every one that it does not") {
  const std::string page = storage::read_text("docs/architecture.md");
  for (const auto& [word, about] : text::kJsonSchemaWords) {
    CAPTURE(word);
    CHECK(page.find("`" + std::string(word) + "`") != std::string::npos);
  }
  for (const auto& [word, about] : text::kJsonSchemaForeign) {
    CAPTURE(word);
    CHECK(page.find("`" + std::string(word) + "`") != std::string::npos);
  }
}

TEST_CASE("what a keyword cannot be is an error that names its place") {
  check_refused(R"({"type": "float"})", "#: type: expected array");
  check_refused(R"({"type": 3})", "#: type");
  check_refused(R"({"type": "string", "maxLength": -1})",
                "#: maxLength: expected a whole number of 0 or more, got -1");
  check_refused(R"({"properties": []})", "#: properties: expected an object");
  check_refused(R"({"required": [1]})", "required: expected a list of names");
  check_refused(R"({"items": 3})", "#/items: expected a schema");
  check_refused(R"({"$ref": "#/$defs/none"})", "'#/$defs/none'");
  check_refused(R"({"$ref": "https://example.org/schema"})", "$ref");
  check_refused(R"({"minimum": "3"})", "minimum: expected a number");
  check_refused(R"({"nullable": 1})", "nullable");
  check_refused("3", "expected a schema");
}

TEST_CASE("a schema that nothing meets is an error") {
  for (const char* schema :
       {"false", R"({"enum": []})", R"({"$ref": "#"})",
        R"({"type": "string", "minLength": 3, "maxLength": 2})",
        R"({"type": "integer", "minimum": 3, "maximum": 2})",
        R"({"enum": [1, 2], "type": "string"})",
        R"({"required": ["a"], "properties": {}, "additionalProperties": false})",
        R"({"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]})",
        R"({"type": "number", "exclusiveMinimum": 3, "maximum": 3})",
        R"({"type": "array", "items": false, "minItems": 1})"}) {
    check_refused(schema, "no text can meet");
  }
}

TEST_CASE(
    "objects have their properties in order, the required ones always, others where they are "
    "allowed") {
  const std::string schema =
      R"({"type": "object", "properties": {"a": {"type": "null"}, "b": {"type": "null"}, "c":
      {"type": "null"}}, "required": ["b"]})";
  for (const char* text : {R"({"b": null})", R"({"a": null, "b": null})",
                           R"({"b": null, "c": null})", R"({"a": null, "b": null, "c": null})"}) {
    CHECK(matches(schema, text));
  }
  for (const char* text :
       {"{}", R"({"a": null})", R"({"c": null, "b": null})", R"({"b": null, "x": 1})"}) {
    CHECK_FALSE(matches(schema, text));
  }
  const std::string open =
      R"({"properties": {"a": {"type": "null"}}, "additionalProperties": {"type": "boolean"}})";
  CHECK(matches(open, R"({"a": null, "x": true, "y": false})"));
  CHECK(matches(open, R"({"x": true})"));
  CHECK_FALSE(matches(open, R"({"a": true})"));
  CHECK_FALSE(matches(open, R"({"x": 1})"));
  CHECK(matches(R"({"type": "object", "required": ["z"]})", R"({"z": [], "y": 1})"));
  CHECK(matches(R"({"additionalProperties": false})", "{}"));
  CHECK_FALSE(matches(R"({"additionalProperties": false})", R"({"a": 1})"));
}

TEST_CASE("arrays have their items in number and in place") {
  const std::string pair = R"({"prefixItems": [{"type": "integer"}, {"type": "boolean"}]})";
  for (const char* text : {"[]", "[1]", "[1, true]"}) CHECK(matches(pair, text));
  for (const char* text : {"[true]", "[1, true, 2]", "[1, 2]"}) CHECK_FALSE(matches(pair, text));
  const std::string more =
      R"({"prefixItems": [{"type": "integer"}], "items": {"type": "null"}, "minItems": 2, "maxItems": 3})";
  for (const char* text : {"[1, null]", "[1, null, null]"}) CHECK(matches(more, text));
  for (const char* text : {"[]", "[1]", "[1, null, null, null]"}) CHECK_FALSE(matches(more, text));
  CHECK_FALSE(matches(R"({"prefixItems": [{}, {}], "maxItems": 1})", "[1, 2]"));
  CHECK(matches(R"({"prefixItems": [{}, {}], "maxItems": 1})", "[1]"));
  CHECK_FALSE(matches(R"({"type": "array", "maxItems": 0})", "[1]"));
}

TEST_CASE("remarks are no rules, and format is a remark") {
  CHECK(matches(
      R"({"type": "null", "title": "t", "description": "d", "default": 3, "examples": [1], "format": "date",
                 "$schema": "x", "$comment": "c", "deprecated": true})",
      "null"));
}

TEST_CASE("references may be nested, escaped and recursive") {
  CHECK(matches(R"({"$ref": "#/$defs/a~1b%41", "$defs": {"a/bA": {"type": "null"}}})", "null"));
  CHECK(matches(
      R"({"$defs": {"l": {"anyOf": [{"type": "null"}, {"type": "array", "items": {"$ref": "#/$defs/l"}}]}},
                 "$ref": "#/$defs/l"})",
      "[[], [null, [[]]]]"));
  std::string chain = R"({"$ref": "#/$defs/0", "$defs": {)";
  for (int index = 0; index < 2000; ++index) {
    chain += "\"" + std::to_string(index) + R"(": {"$ref": "#/$defs/)" + std::to_string(index + 1) +
             "\"}, ";
  }
  CHECK(matches(chain + R"("2000": {"type": "null"}}})", "null"));
}

TEST_CASE("a schema is not nested without end") {
  std::string deep = "{}";
  for (int level = 0; level < 100; ++level) deep = R"({"items": )" + deep + "}";
  check_refused(deep, "levels");
  std::string values = "1";
  for (int level = 0; level < 100; ++level) values = "[" + values + "]";
  check_refused(R"({"const": )" + values + "}", "levels");
}

TEST_CASE("values are spelled in one way") {
  CHECK(matches(R"({"const": {"a":[1,2.5,null],"b":"\u00e9\n"}})",
                "{\"a\": [1, 2.5, null], \"b\": \"\xc3\xa9\\n\"}"));
  CHECK(matches(R"({"type": "string", "nullable": true})", "null"));
  CHECK(matches(R"({"type": ["integer", "null"], "enum": [1, null, "x"]})", "null"));
  CHECK_FALSE(matches(R"({"type": ["integer", "null"], "enum": [1, null, "x"]})", "\"x\""));
}

TEST_CASE("large schemas have a grammar or a clear error, and what grows twice costs twice") {
  const auto listed = [](int n) {
    nlohmann::ordered_json schema;
    for (int index = 0; index < n; ++index)
      schema["enum"].push_back("value" + std::to_string(index));
    return schema.dump();
  };
  CHECK(matches(listed(5000), "\"value4999\""));
  CHECK_THROWS_WITH(Grammar::from_json_schema(listed(200'000)),
                    Catch::Matchers::ContainsSubstring("nodes"));
  nlohmann::ordered_json wide = {{"type", "object"}};
  for (int index = 0; index < 3000; ++index)
    wide["properties"]["p" + std::to_string(index)] = {{"type", "integer"}};
  CHECK(matches(wide.dump(), R"({"p1": 3})"));
  // Each refers to the next one twice.
  for (const char* word : {"anyOf", "allOf"}) {
    std::string schema = R"({"$ref": "#/$defs/0", "$defs": {)";
    for (int index = 0; index < 60; ++index) {
      const std::string next = R"({"$ref": "#/$defs/)" + std::to_string(index + 1) + "\"}";
      schema +=
          "\"" + std::to_string(index) + "\": {\"" + word + "\": [" + next + ", " + next + "]}, ";
    }
    CHECK(matches(schema + R"("60": {"type": "null"}}})", "null"));
  }
}
