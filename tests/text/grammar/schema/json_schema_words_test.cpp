// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/schema/json_schema_words.hpp"

#include "support/catch.hpp"

using namespace flashlm::text;

TEST_CASE("a keyword is about some kinds of values, and other words about none") {
  CHECK(json_kinds_of_word("minLength") == kJsonString);
  CHECK(json_kinds_of_word("contains") == kJsonArray);
  CHECK(json_kinds_of_word("uniqueItems") == kJsonArray);
  CHECK(json_kinds_of_word("anyOf") == kJsonAny);
  for (const char* word :
       {"title", "x-order", "format", "$comment", "id", "self", "_format", "typo", ""})
    CHECK(json_kinds_of_word(word) == 0);
  CHECK(json_kinds_of_type("number") == kJsonNumber);
  CHECK(json_kinds_of_type("float") == 0);
}
