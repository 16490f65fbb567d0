// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/json/json_multiples.hpp"

#include <string>

#include "flashlm/text/grammar/grammar.hpp"
#include "support/catch.hpp"
#include "support/grammar.hpp"

using namespace flashlm;
using support::matches;

TEST_CASE("multiples within bounds are allowed, all of them and no others") {
  for (const int divisor : {1, 2, 3, 7, 10, 25, 60, 128}) {
    const nlohmann::ordered_json schema = {{"type", "integer"},
                                           {"multipleOf", divisor},
                                           {"minimum", -310},
                                           {"exclusiveMaximum", 1200}};
    const text::Grammar grammar = text::Grammar::from_json_schema(schema.dump());
    for (int value = -1500; value <= 1500; ++value) {
      CAPTURE(divisor, value);
      const bool good = value % divisor == 0 && value >= -310 && value < 1200;
      REQUIRE(matches(grammar, std::to_string(value)) == good);
    }
    CHECK_FALSE(matches(grammar, "-0"));
    CHECK_FALSE(matches(grammar, "00"));
  }
}

TEST_CASE("several divisors are one, and numbers that are multiples are whole") {
  CHECK(matches(R"({"allOf": [{"multipleOf": 4}, {"type": "number", "multipleOf": 6}]})", "24"));
  CHECK_FALSE(
      matches(R"({"allOf": [{"multipleOf": 4}, {"type": "number", "multipleOf": 6}]})", "20"));
  CHECK(matches(R"({"type": "integer", "multipleOf": 1000})", "123000"));
  CHECK(matches(R"({"type": "number", "multipleOf": 5.0})", "15"));
  CHECK(matches(R"({"type": "integer", "multipleOf": 997})", "9970"));
}

TEST_CASE("divisors that are not whole, or too large, are refused by name") {
  for (const char* said : {"0.1", "1e12", "99991"}) {
    CAPTURE(said);
    const std::string schema = std::string(R"({"type": "number", "multipleOf": )") + said + "}";
    CHECK_THROWS_WITH(text::Grammar::from_json_schema(schema),
                      Catch::Matchers::ContainsSubstring("'multipleOf'"));
  }
  CHECK_THROWS_AS(text::Grammar::from_json_schema(R"({"multipleOf": 0})"), FormatError);
  CHECK_THROWS_AS(text::Grammar::from_json_schema(R"({"multipleOf": "2"})"), FormatError);
}
