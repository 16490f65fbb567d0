// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/json/json_rules.hpp"

#include <iterator>
#include <string>

#include <nlohmann/json.hpp>

#include "flashlm/base/random.hpp"
#include "support/catch.hpp"
#include "support/grammar.hpp"

using namespace flashlm;
using support::matches;
using text::JsonRules;

TEST_CASE("strings are those of RFC 8259, in UTF-8") {
  const text::Grammar grammar = text::Grammar::from_json_schema(R"({"type": "string"})");
  Random random(1);
  const std::string parts[] = {
      "a",        "\"",       "\\",   "\\u",      "00",   "d8",   "dc",           "D83D",
      "\\uDE00",  "\\n",      "\n",   "/",        "\xc3", "\xa9", "\xe2\x82\xac", "\xed\xa0\x80",
      "\xf0\x9f", "\x98\x80", "\xf5", "\xc0\x80", "\x7f", " "};
  for (int round = 0; round < 20000; ++round) {
    std::string text = "\"";
    for (std::uint64_t n = random.next() % 6; n > 0; --n)
      text += parts[random.next() % std::size(parts)];
    text += '"';
    CAPTURE(text);
    // The parser takes one string only, and the grammar has no spaces around it.
    REQUIRE(matches(grammar, text) == nlohmann::json::accept(text));
  }
}

TEST_CASE("lengths count characters, an escape as one") {
  const std::string schema = R"({"type": "string", "minLength": 2, "maxLength": 3})";
  CHECK(matches(schema, "\"ab\""));
  CHECK(matches(schema, "\"\xe2\x82\xac\xf0\x9f\x98\x80\""));
  CHECK(matches(schema, R"("\ud83d\ude00\n")"));
  CHECK_FALSE(matches(schema, "\"a\""));
  CHECK_FALSE(matches(schema, R"("\ud83d\ude00")"));
  CHECK_FALSE(matches(schema, "\"abcd\""));
}

TEST_CASE("any JSON has one space after commas and colons, and none elsewhere") {
  for (const char* text :
       {R"({"a": [1, {"b": null}], "": ""})", "[]", "{}", "true", "-1.5e3", R"("x")"})
    CHECK(matches("{}", text));
  for (const char* text :
       {"[1,2]", "[ 1]", "[1 ]", R"({"a":1})", "[1,  2]", " 1", "1 ", "[1, ]", "{,}", "nul"}) {
    CHECK_FALSE(matches("{}", text));
  }
}

TEST_CASE("any JSON is not nested without end") {
  CHECK(matches("{}", std::string(16, '[') + std::string(16, ']')));
  CHECK_FALSE(matches("{}", std::string(17, '[') + std::string(17, ']')));
}

TEST_CASE("texts with a common beginning are one choice") {
  text::GrammarRules rules;
  JsonRules json(rules);
  rules.finish(json.one_of({"abc", "ab", "abd", "x", "abc"}, JsonRules::end()));
  const text::Grammar grammar(rules);
  for (const char* text : {"abc", "ab", "abd", "x"}) CHECK(matches(grammar, text));
  for (const char* text : {"a", "", "abcd", "xx", "abx"}) CHECK_FALSE(matches(grammar, text));
}

TEST_CASE("a name that is not taken is never one that is, however it is spelled") {
  text::GrammarRules rules;
  JsonRules json(rules);
  rules.finish(json.other_string({"a", "abc", "\xc3\xa9", ""}, JsonRules::end()));
  const text::Grammar grammar(rules);
  for (const char* text : {R"("b")", R"("ab")", R"("abcd")", R"("ax\n")", "\"b\xc3\xa9\""})
    CHECK(matches(grammar, text));
  for (const char* text :
       {R"("")", R"("a")", R"("abc")", R"("\u0061")", "\"\xc3\xa9\"", R"("ab\u0063")"}) {
    CHECK_FALSE(matches(grammar, text));
  }
}

TEST_CASE("a text is quoted with the escapes that it needs") {
  const std::string text("\"\\\b\f\n\r\t\x01\x1f/\xc3\xa9", 12);
  CHECK(nlohmann::json::parse(JsonRules::quoted(text)) == text);
  CHECK(JsonRules::quoted("a\n\x01") == R"("a\n\u0001")");
}
