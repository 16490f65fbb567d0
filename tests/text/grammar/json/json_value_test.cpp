// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/json/json_value.hpp"

#include <string>

#include "support/catch.hpp"

using Json = nlohmann::ordered_json;
using flashlm::text::parse_value;
using flashlm::text::same_value;

TEST_CASE("members in any order make the same value, and elements do not") {
  const auto same = [](const char* left, const char* right) {
    return same_value(Json::parse(left), Json::parse(right));
  };
  CHECK(same(R"({"a": 1, "b": [{"x": 2, "y": 3}]})", R"({"b": [{"y": 3, "x": 2}], "a": 1.0})"));
  CHECK_FALSE(same("[1, 2]", "[2, 1]"));
  CHECK_FALSE(same(R"({"a": 1})", R"({"b": 1})"));
  CHECK_FALSE(same(R"({"a": 1})", R"({"a": 1, "b": 1})"));
  CHECK_FALSE(same("0", "false"));
  CHECK_FALSE(same("[]", "{}"));
}

TEST_CASE("text is a value or nothing") {
  CHECK(parse_value(R"({"b": 1, "a": 2})")->dump() == R"({"b":1,"a":2})");
  CHECK_FALSE(parse_value("{"));
  CHECK_FALSE(parse_value(""));
}
