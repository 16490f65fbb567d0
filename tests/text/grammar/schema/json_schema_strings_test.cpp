// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/schema/json_schema_strings.hpp"

#include <string>

#include "flashlm/text/grammar/grammar.hpp"
#include "support/catch.hpp"
#include "support/grammar.hpp"

using namespace flashlm;
using support::matches;

TEST_CASE("strings have a pattern, a length, and both") {
  const std::string id = R"({"type": "string", "pattern": "^[A-Z]{2}-\\d+$", "maxLength": 6})";
  for (const char* text : {"\"AB-1\"", "\"AB-123\""}) CHECK(matches(id, text));
  for (const char* text : {"\"AB-1234\"", "\"ab-1\"", "\"AB-\"", "\"xAB-1\""})
    CHECK_FALSE(matches(id, text));
  CHECK(matches(R"({"pattern": "b"})", "\"abc\""));
  CHECK(matches(R"({"pattern": "^\"\\\\$"})", R"("\"\\")"));
  CHECK_FALSE(matches(R"({"allOf": [{"pattern": "a"}, {"pattern": "b"}]})", "\"ac\""));
  CHECK(matches(R"({"allOf": [{"pattern": "a"}, {"pattern": "b"}]})", "\"cba\""));
  CHECK(matches(R"({"type": "string", "pattern": "^a+$", "maxLength": 100000})", "\"aaaa\""));
}

TEST_CASE("a pattern that is not known is refused by its name and place") {
  for (const char* pattern : {"(?=a)b", "\\\\bword", "(a|b)*a(a|b){14}"}) {
    const std::string schema =
        std::string(R"({"properties": {"p": {"type": "string", "pattern": ")") + pattern + "\"}}}";
    CAPTURE(schema);
    CHECK_THROWS_WITH(text::Grammar::from_json_schema(schema),
                      Catch::Matchers::ContainsSubstring(
                          "#/properties/p: unsupported keyword 'pattern': [pattern]"));
  }
  // Beside another type it says nothing.
  CHECK(matches(R"({"type": "integer", "pattern": "(?=a)b"})", "3"));
}
