// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/schema/json_schema_resources.hpp"

#include <string>

#include "flashlm/base/error.hpp"
#include "flashlm/text/grammar/grammar.hpp"
#include "support/catch.hpp"
#include "support/grammar.hpp"

using namespace flashlm;
using support::matches;
using Json = nlohmann::ordered_json;

TEST_CASE("parts with an $id and anchors are found, in data they are not") {
  const Json json =
      Json::parse(R"({"$id": "https://example.org/a", "$defs": {"b": {"$id": "b", "$anchor": "x"}},
      "properties": {"$id": {"type": "string"}, "enum": {"$id": "c"}}, "const": {"$id": "d"}})");
  const text::JsonSchemaResources resources(json, "$id");
  CHECK(resources.size() == 3);
  CHECK(resources.place(resources.find("b", 0)).pointer == "#/$defs/b");
  CHECK(resources.find("", 2) == 2);
  CHECK(resources.find("https://example.org/a", 1) == 0);
  CHECK(resources.find("d", 0) == resources.size());
  CHECK(resources.anchor(resources.find("b", 0), "x") != nullptr);
  CHECK(resources.anchor(0, "x") == nullptr);
}

TEST_CASE("a reference below an $id counts from there") {
  const std::string schema =
      R"({"$ref": "#/$defs/outer", "$defs": {"a": {"type": "null"}, "outer": {"$id": "inner",
      "$ref": "#/$defs/a", "$defs": {"a": {"type": "boolean"}}}}})";
  CHECK(matches(schema, "true"));
  CHECK_FALSE(matches(schema, "null"));
  CHECK(matches(R"({"$ref": "b", "$defs": {"x": {"$id": "b", "type": "null"}}})", "null"));
  CHECK(matches(R"({"$ref": "#x", "$defs": {"x": {"$anchor": "x", "type": "null"}}})", "null"));
  // Relative to "folder/", which is no part of this schema.
  CHECK_THROWS_WITH(
      text::Grammar::from_json_schema(R"({"$defs": {"a": {"$id": "folder/", "$ref": "b"},
      "b": {"$id": "b", "type": "null"}}, "$ref": "#/$defs/a"})"),
      Catch::Matchers::ContainsSubstring("$ref"));
}

TEST_CASE("in draft 4 the name of a part is its id, later that is a word like others") {
  const std::string rest =
      R"("properties": {"p": {"id": "x", "$ref": "#/definitions/a", "definitions": {"a": {"type":
      "boolean"}}}}, "required": ["p"], "definitions": {"a": {"type": "null"}}})";
  CHECK(matches(R"({"$schema": "http://json-schema.org/draft-04/schema#", )" + rest,
                R"({"p": true})"));
  CHECK(matches("{" + rest, R"({"p": null})"));
}

TEST_CASE("a schema that is nested without end is a FormatError") {
  std::string deep = "{}";
  for (int level = 0; level < 3000; ++level) deep = R"({"x": )" + deep + "}";
  CHECK_THROWS_AS(text::Grammar::from_json_schema(deep), FormatError);
}
