// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/json_schema_overlap.hpp"

#include <string>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"
#include "support/grammar.hpp"

using flashlm::text::Grammar;

TEST_CASE("alternatives that differ in type, value or a required property are apart") {
  for (const char* schema :
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

TEST_CASE("alternatives that a value might meet both are refused") {
  for (const char* schema :
       {R"({"oneOf": [{"type": "number"}, {"type": "integer"}]})", R"({"oneOf": [{}, {"type": "null"}]})",
        R"({"oneOf": [{"const": 1}, {"const": 1.0}]})", R"({"oneOf": [{"type": "string"}, {"const": "a"}]})",
        R"({"oneOf": [{"type": "string", "nullable": true}, {"type": "null"}]})",
        R"({"oneOf": [{"properties": {"kind": {"const": "a"}}}, {"properties": {"kind": {"const": "b"}}}]})",
        R"({"oneOf": [{"$ref": "#"}, {"$ref": "#"}]})", R"({"oneOf": [true, {"type": "null"}]})"}) {
    CAPTURE(schema);
    CHECK_THROWS_WITH(Grammar::from_json_schema(schema), Catch::Matchers::ContainsSubstring("oneOf"));
  }
}
