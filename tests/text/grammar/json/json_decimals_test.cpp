// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/json/json_decimals.hpp"

#include <cmath>
#include <string>
#include <utility>

#include "flashlm/text/grammar/grammar.hpp"
#include "support/catch.hpp"
#include "support/grammar.hpp"

using namespace flashlm;
using support::matches;
using text::JsonDecimal;

TEST_CASE("a bound has the digits that it is written with") {
  CHECK(JsonDecimal::of(0.5, false).fraction == "5");
  CHECK(JsonDecimal::of(-12.25, false).whole == 12);
  CHECK(JsonDecimal::of(-12.25, false).negative);
  CHECK(JsonDecimal::of(0.1, false).fraction == "1");
  CHECK(JsonDecimal::of(3, false).fraction.empty());
  CHECK_FALSE(JsonDecimal::of(-0.0, false).negative);
  CHECK(JsonDecimal::of(1e300, false).whole == text::JsonNumbers::kLargestPlain + 1);
  CHECK(JsonDecimal::of(-2, false) < JsonDecimal::of(-1.5, false));
  CHECK(JsonDecimal::of(0.25, false) < JsonDecimal::of(0.3, false));
  CHECK_FALSE(JsonDecimal::of(0.3, false) < JsonDecimal::of(0.3, true));
}

TEST_CASE("numbers lie within bounds with and without a fraction") {
  Random random(11);
  for (const auto& [least, most] : {std::pair(0.0, 1.0),
                                    {-1.0, 0.0},
                                    {-90.0, 90.0},
                                    {5.0, 5.0},
                                    {-7.0, -3.0},
                                    {0.5, 1.5},
                                    {0.05, 0.5},
                                    {-0.5, 0.25},
                                    {-2.75, -2.5},
                                    {99.125, 1001.0},
                                    {1e-9, 1e-8},
                                    {0.1, 0.30000000000000004},
                                    {-1e300, 0.5},
                                    {12345678.5, 1e300}}) {
    for (const bool above : {false, true}) {
      for (const bool below : {false, true}) {
        if (least == most && (above || below)) continue;
        CAPTURE(least, most, above, below);
        const nlohmann::ordered_json schema = {{"type", "number"},
                                               {above ? "exclusiveMinimum" : "minimum", least},
                                               {below ? "exclusiveMaximum" : "maximum", most}};
        const text::Grammar grammar = text::Grammar::from_json_schema(schema.dump());
        for (int round = 0; round < 60; ++round) {
          const std::string text = support::random_text(grammar, random, 14);
          CAPTURE(text);
          const double value = std::stod(text);
          REQUIRE((above ? value > least : value >= least));
          REQUIRE((below ? value < most : value <= most));
        }
        const auto shown = [](double value) { return nlohmann::ordered_json(value).dump(); };
        if (std::abs(least) < 1e9 && shown(least).find('e') == std::string::npos)
          CHECK(matches(grammar, shown(least)) == !above);
      }
    }
  }
}

TEST_CASE("both spellings of a bound are good or neither") {
  const std::string schema = R"({"type": "number", "minimum": 0.5, "exclusiveMaximum": 2})";
  for (const char* text : {"0.5", "0.50", "0.500001", "1", "1.99"}) CHECK(matches(schema, text));
  for (const char* text : {"0.4999", "0.05", "0", "2", "2.0", "-1", "1e0"})
    CHECK_FALSE(matches(schema, text));
  CHECK(matches(R"({"type": "number", "minimum": -0.5, "maximum": 0})", "-0.0"));
  CHECK_FALSE(matches(R"({"type": "number", "exclusiveMaximum": 0})", "-0.0"));
}
