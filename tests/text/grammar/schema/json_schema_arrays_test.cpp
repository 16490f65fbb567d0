// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/schema/json_schema_arrays.hpp"

#include <string>

#include "flashlm/text/grammar/grammar.hpp"
#include "support/catch.hpp"
#include "support/grammar.hpp"

using namespace flashlm;
using support::matches;

TEST_CASE(
    "items that differ are allowed where they are listed: a few in any order, more in theirs") {
  const std::string few =
      R"({"type": "array", "items": {"enum": ["a", "b", 1, 1.0]}, "uniqueItems": true, "minItems": 1})";
  for (const char* text : {R"(["b", "a"])", R"(["a"])", R"([1, "b", "a"])"})
    CHECK(matches(few, text));
  for (const char* text : {"[]", R"(["a", "a"])", "[1, 1]", "[1, 1.0]", R"(["c"])"})
    CHECK_FALSE(matches(few, text));
  nlohmann::ordered_json many = {
      {"type", "array"}, {"uniqueItems", true}, {"minItems", 2}, {"maxItems", 3}};
  for (int value = 0; value < 40; ++value) many["items"]["enum"].push_back(value);
  const text::Grammar grammar = text::Grammar::from_json_schema(many.dump());
  for (const char* text : {"[0, 39]", "[3, 4, 5]"}) CHECK(matches(grammar, text));
  for (const char* text : {"[4, 3]", "[3, 3]", "[3]", "[1, 2, 3, 4]"})
    CHECK_FALSE(matches(grammar, text));
  CHECK(matches(R"({"uniqueItems": true, "maxItems": 1})", "[[]]"));
  CHECK(matches(R"({"uniqueItems": false, "items": {}})", "[1, 1]"));
  CHECK_THROWS_WITH(text::Grammar::from_json_schema(
                        R"({"type": "array", "items": {"type": "string"}, "uniqueItems": true})"),
                    Catch::Matchers::ContainsSubstring("unsupported keyword 'uniqueItems'"));
}

TEST_CASE("a list of items is a tuple, as before draft 2020-12") {
  const std::string schema =
      R"({"items": [{"type": "null"}, {"type": "boolean"}], "additionalItems": {"type": "null"}})";
  for (const char* text : {"[]", "[null]", "[null, true, null]"}) CHECK(matches(schema, text));
  for (const char* text : {"[true]", "[null, true, true]"}) CHECK_FALSE(matches(schema, text));
}

TEST_CASE("items meet all schemas that speak of them") {
  const std::string schema =
      R"({"type": "array", "allOf": [{"items": {"type": "integer"}}, {"prefixItems": [{"minimum": 5}],
      "items": {"maximum": 3}}], "minItems": 1})";
  for (const char* text : {"[5]", "[7, 3]"}) CHECK(matches(schema, text));
  for (const char* text : {"[]", "[4]", "[5, 4]", "[5.5]"}) CHECK_FALSE(matches(schema, text));
}
