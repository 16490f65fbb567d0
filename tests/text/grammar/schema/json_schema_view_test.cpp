// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/schema/json_schema_view.hpp"

#include <limits>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/text/grammar/schema/json_schema_words.hpp"
#include "support/catch.hpp"

using Json = nlohmann::ordered_json;
using View = flashlm::text::JsonSchemaView;

TEST_CASE("the kinds of a schema are those of its type, all without one") {
  const auto kinds = [](const char* text) {
    const Json json = Json::parse(text);
    return View(json).kinds(View(json).root());
  };
  using namespace flashlm::text;
  CHECK(kinds(R"({"type": "string"})") == kJsonString);
  CHECK(kinds(R"({"type": ["integer", "number", "null"]})") == (kJsonNumber | kJsonNull));
  for (const char* text :
       {R"({"minimum": 3})", R"({"required": []})", R"({"maxLength": 3})", "{}"}) {
    CHECK(kinds(text) == kJsonAny);
  }
}

TEST_CASE("a value is of a kind as JSON schema sees it") {
  using namespace flashlm::text;
  CHECK(View::kind_of(Json(3.0)) == kJsonWhole);
  CHECK(View::kind_of(Json(3.5)) == kJsonBroken);
  CHECK(View::kind_of(Json(3)) == kJsonWhole);
  CHECK(View::kind_of(Json(nullptr)) == kJsonNull);
  CHECK(View::kind_of(Json::array()) == kJsonArray);
}

TEST_CASE("a reference names a place, and the place knows its pointer") {
  const Json json = Json::parse(R"({"a": {"b~/": [10, 20]}})");
  const View view(json);
  CHECK(*view.resolve("#/a/b~0~1/1", view.root()).json == 20);
  CHECK(view.resolve("#", view.root()).json == &json);
  for (const char* bad : {"a", "#a", "#/b", "#/a/b~0~1/2", "#/a/b~0~1/x", "#/a/b~0~1/1/0"}) {
    CHECK_THROWS_AS(view.resolve(bad, view.root()), flashlm::FormatError);
  }
  CHECK(view.members(view.root(), "a").at(0).second.pointer == "#/a/b~0~1");
}

TEST_CASE("the draft that a schema is of says whether a reference hides its neighbours") {
  const Json old = Json::parse(R"({"$schema": "http://json-schema.org/draft-07/schema#"})");
  const Json newer = Json::parse(R"({"$schema": "https://json-schema.org/draft/2020-12/schema"})");
  CHECK(View(old).reference_hides());
  CHECK_FALSE(View(newer).reference_hides());
  CHECK_FALSE(View(Json(true)).reference_hides());
}

TEST_CASE("values are written with a space after commas and colons") {
  const Json json = Json::parse(R"({"b": [1, {}, []], "a": "x\"", "c": 1e300})");
  CHECK(View(json).spelled({&json, "#", 0}) == R"({"b": [1, {}, []], "a": "x\"", "c": 1e+300})");
  const Json broken = "\xff";
  CHECK_THROWS_AS(View(broken).spelled({&broken, "#", 0}), flashlm::FormatError);
  const Json infinite = std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS(View(infinite).spelled({&infinite, "#", 0}), flashlm::FormatError);
}
