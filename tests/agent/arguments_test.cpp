// SPDX-License-Identifier: Apache-2.0
#include "flashlm/agent/arguments.hpp"

#include <nlohmann/json.hpp>

#include "support/catch.hpp"

using flashlm::agent::arguments_problem;
using json = nlohmann::ordered_json;

namespace {

const json kSchema = json::parse(R"({
  "type": "object",
  "properties": {
    "n": {"type": "integer"}, "size": {"type": "number"}, "when": {"type": ["string", "null"]},
    "unit": {"enum": ["m", "km"]}, "maybe": {"type": "string", "nullable": true},
    "list": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"]}},
    "any": {"type": "any"}},
  "required": ["n"]})");

std::string problem(const json& arguments) {
  return arguments_problem(kSchema, arguments).value_or("");
}

}  // namespace

TEST_CASE("arguments that fit have no problem") {
  CHECK(problem({{"n", 1}}).empty());
  CHECK(problem({{"n", 1},
                 {"size", 2},
                 {"when", nullptr},
                 {"unit", "km"},
                 {"maybe", nullptr},
                 {"any", {1}}})
            .empty());
  CHECK(problem({{"n", -1}, {"size", 2.5}, {"list", {{{"x", true}}}}}).empty());
  CHECK_FALSE(arguments_problem(json::object(), {{"anything", 1}}));
}

TEST_CASE("what does not fit is named, with what was expected") {
  CHECK(problem(json::object()) == "arguments: 'n' is missing");
  CHECK(problem({{"n", "1"}}) == "arguments.n: expected integer, got \"1\"");
  CHECK(problem({{"n", 1.5}}) == "arguments.n: expected integer, got 1.5");
  CHECK(problem({{"n", 1}, {"when", 3}}) == "arguments.when: expected string or null, got 3");
  CHECK(problem({{"n", 1}, {"unit", "mile"}}) ==
        "arguments.unit: expected one of [\"m\",\"km\"], got \"mile\"");
  CHECK(problem({{"n", 1}, {"list", {{{"x", 1}}}}}) ==
        "arguments.list[0].x: expected boolean, got 1");
  CHECK(problem({{"n", 1}, {"more", 1}}).find("there is no 'more'. Expected: n, size") !=
        std::string::npos);
  CHECK(problem(json::array()) == "arguments: expected object, got []");
  CHECK(arguments_problem(kSchema, "{").value_or("") == "arguments: expected JSON");
  CHECK(arguments_problem(kSchema, R"({"n": "x"})").value_or("") ==
        "arguments.n: expected integer, got \"x\"");
}

TEST_CASE("an open object takes other keys") {
  const json open = {
      {"type", "object"}, {"properties", json::object()}, {"additionalProperties", true}};
  CHECK_FALSE(arguments_problem(open, {{"more", 1}}));
}

TEST_CASE("a schema that is joined with others leaves keys to them, and 3.0 is a whole number") {
  for (const char* word : {"allOf", "anyOf", "oneOf", "$ref", "patternProperties"}) {
    const json schema = {{"type", "object"}, {"properties", json::object()}, {word, json::array()}};
    CHECK_FALSE(arguments_problem(schema, {{"more", 1}}));
  }
  CHECK_FALSE(arguments_problem({{"type", "integer"}}, json(3.0)));
  CHECK_FALSE(arguments_problem({{"enum", {{{"a", 1}, {"b", 2}}}}}, json({{"b", 2}, {"a", 1}})));
}
