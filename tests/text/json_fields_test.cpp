// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/json_fields.hpp"

#include <string>

#include "support/catch.hpp"

using flashlm::FormatError;
using flashlm::text::JsonField;

TEST_CASE("fields are read by name, and a null stands for what is absent") {
  const auto document = nlohmann::json::parse(R"({"a": {"b": [1, "two", true]}, "n": null})");
  const JsonField root(document, "", "x.json");
  CHECK(root["a"]["b"].array_size() == 3);
  CHECK(root["a"]["b"].at(0).index(2) == 1);
  CHECK(root["a"]["b"].at(1).string() == "two");
  CHECK(root["a"]["b"].at(2).flag(false));
  CHECK(root["n"].is_null());
  CHECK(root["missing"].is_null());
  CHECK(root["missing"].flag(true));
}

TEST_CASE("a surprise is a FormatError that names the field, the value and the file") {
  const auto document = nlohmann::json::parse(R"({"a": {"b": [1.5, -1, 18446744073709551615, "s"]}})");
  const JsonField root(document, "", "x.json");
  try {
    root["a"]["b"].at(0).index(10);
    FAIL("nothing was thrown");
  } catch (const FormatError& error) {
    CHECK(std::string(error.what()) == "[tokenizer] a.b[0]: expected an integer, got 1.5 (x.json)");
  }
  CHECK_THROWS_AS(root["a"]["b"].at(1).index(10), FormatError);
  CHECK_THROWS_AS(root["a"]["b"].at(2).index(10), FormatError);
  CHECK_THROWS_AS(root["a"]["b"].at(3).flag(true), FormatError);
  CHECK_THROWS_AS(root["a"]["b"].string(), FormatError);
  CHECK_THROWS_AS(root["a"].array_size(), FormatError);
  CHECK_THROWS_AS(root["a"]["b"]["c"], FormatError);
  CHECK_THROWS_AS(root["missing"]["c"], FormatError);
}

TEST_CASE("an error about a deeply nested value does not print it") {
  const auto document = nlohmann::json::parse(std::string(200000, '[') + std::string(200000, ']'));
  CHECK_THROWS_AS(JsonField(document, "a", "x.json").string(), FormatError);
}
