// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/schema/json_schema_values.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace flashlm::text;
using Json = nlohmann::ordered_json;

namespace {

JsonSchemaValues::Answer meets(const char* value, const char* schema) {
  const Json json = Json::parse(schema);
  const JsonSchemaView view(json);
  JsonPatterns patterns;
  return JsonSchemaValues(view, patterns).meets(Json::parse(value), view.root());
}

}  // namespace

TEST_CASE("values are judged as draft 2020-12 does") {
  const auto check = [](const char* schema, std::vector<const char*> good,
                        std::vector<const char*> bad) {
    for (const char* value : good) {
      CAPTURE(schema, value);
      CHECK(meets(value, schema) == true);
    }
    for (const char* value : bad) {
      CAPTURE(schema, value);
      CHECK(meets(value, schema) == false);
    }
  };
  check(R"({"maximum": 0})", {"\"a\"", "0", "-1"}, {"1"});
  check(R"({"type": "integer"})", {"1", "1.0"}, {"1.5", "null"});
  check(R"({"minLength": 2, "pattern": "^\u00e9"})", {"\"\u00e9a\"", "3"},
        {"\"\u00e9\"", "\"ab\""});
  check(R"({"enum": [{"a": 1, "b": 2}]})", {R"({"b": 2.0, "a": 1})"}, {R"({"a": 1})"});
  check(R"({"oneOf": [{"type": "string"}, {"maxLength": 1}]})", {"\"ab\"", "1"}, {"\"a\""});
  check(R"({"not": {"const": 1}})", {"2"}, {"1"});
  check(R"({"if": {"type": "string"}, "then": {"minLength": 1}, "else": {"const": 1}})",
        {"\"a\"", "1"}, {"\"\"", "2"});
  check(R"({"prefixItems": [{"type": "null"}], "items": {"type": "string"}})",
        {"[]", "[null, \"a\"]"}, {"[1]", "[null, 1]"});
  check(R"({"items": [{"type": "null"}], "additionalItems": false})", {"[null]"}, {"[null, null]"});
  check(R"({"uniqueItems": true, "maxItems": 3})", {"[1, 2]"}, {"[1, 1.0]", "[1, 2, 3, 4]"});
  check(R"({"properties": {"a": {"type": "null"}}, "patternProperties": {"^x": {"type": "string"}},
          "additionalProperties": {"type": "boolean"}})",
        {R"({"a": null, "x1": "", "b": true})"}, {R"({"a": 1})", R"({"x1": 1})", R"({"b": 1})"});
  check(R"({"propertyNames": {"maxLength": 1}, "minProperties": 1, "maxProperties": 2})",
        {R"({"a": 1})"}, {"{}", R"({"ab": 1})", R"({"a": 1, "b": 1, "c": 1})"});
  check(R"({"dependentRequired": {"a": ["b"]}})", {R"({"a": 1, "b": 1})", R"({"c": 1})"},
        {R"({"a": 1})"});
  check(R"({"multipleOf": 3})", {"9", "\"x\""}, {"10"});
  check(
      R"({"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 3, "exclusiveMinimum": true})",
      {"4"}, {"3"});
}

TEST_CASE("what is not known is not said") {
  CHECK(meets("[1]", R"({"contains": {"const": 1}})") == std::nullopt);
  CHECK(meets("3", R"({"contains": {"const": 1}})") == true);
  CHECK(meets("\"a\"", R"s({"pattern": "(?=a)"})s") == std::nullopt);
  CHECK(meets("\"\u0661\"", R"({"pattern": "\\d"})") == std::nullopt);
  CHECK(meets("1", R"({"$ref": "#"})") == std::nullopt);
}
