// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/json_schema_view.hpp"

#include <limits>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "support/catch.hpp"

using Json = nlohmann::ordered_json;
using View = flashlm::text::JsonSchemaView;

TEST_CASE("the types of a schema are said, or follow from its keywords") {
  const auto types = [](const char* text) {
    const Json json = Json::parse(text);
    return View(json).types({&json, "#", 0});
  };
  CHECK(types(R"({"type": "string"})") == std::vector<std::string>{"string"});
  CHECK(types(R"({"type": ["integer", "number", "null"]})") == std::vector<std::string>{"number", "null"});
  CHECK(types(R"({"minimum": 3})") == std::vector<std::string>{"number"});
  CHECK(types(R"({"required": []})") == std::vector<std::string>{"object"});
  CHECK(types(R"({"prefixItems": []})") == std::vector<std::string>{"array"});
  CHECK(types(R"({"maxLength": 3})") == std::vector<std::string>{"string"});
  CHECK(types("{}") == std::vector<std::string>{"any"});
}

TEST_CASE("a value is of a type as JSON schema sees it") {
  CHECK(View::is_of_type(Json(3.0), "integer"));
  CHECK_FALSE(View::is_of_type(Json(3.5), "integer"));
  CHECK(View::is_of_type(Json(3), "number"));
  CHECK(View::is_of_type(Json(nullptr), "null"));
  CHECK(View::is_of_type(Json::array(), "any"));
}

TEST_CASE("a reference names a place, and the place knows its pointer") {
  const Json json = Json::parse(R"({"a": {"b~/": [10, 20]}})");
  const View view(json);
  CHECK(*view.resolve("#/a/b~0~1/1").json == 20);
  CHECK(view.resolve("#").json == &json);
  for (const char* bad : {"", "a", "#a", "#/b", "#/a/b~0~1/2", "#/a/b~0~1/x", "#/a/b~0~1/1/0"}) {
    CHECK_THROWS_AS(view.resolve(bad), flashlm::FormatError);
  }
  CHECK(view.members({&json, "#", 0}, "a").at(0).second.pointer == "#/a/b~0~1");
}

TEST_CASE("values are written with a space after commas and colons") {
  const Json json = Json::parse(R"({"b": [1, {}, []], "a": "x\"", "c": 1e300})");
  CHECK(View(json).spelled({&json, "#", 0}) == R"({"b": [1, {}, []], "a": "x\"", "c": 1e+300})");
  const Json broken = "\xff";
  CHECK_THROWS_AS(View(broken).spelled({&broken, "#", 0}), flashlm::FormatError);
  const Json infinite = std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS(View(infinite).spelled({&infinite, "#", 0}), flashlm::FormatError);
}
