// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/automaton/pattern.hpp"

#include <string>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"

using flashlm::FormatError;
using flashlm::text::Pattern;
using flashlm::text::PatternReading;

TEST_CASE("what is known of regular expressions is read") {
  for (const char* text : {"",
                           "abc",
                           "a|b|",
                           "(a)(?:b)(?<name>c)",
                           "^a$",
                           "a*b+c?d{2}e{2,}f{2,3}",
                           "a*?b+?c??d{2}?",
                           "[a-z0-9_.-]",
                           "[^\"\\\\]",
                           "[\\w.-]",
                           "\\d\\D\\w\\W\\s\\S",
                           "\\t\\n\\v\\f\\r\\0",
                           "\\x41",
                           "\\u0041",
                           "\\uD83D\\uDE00",
                           "\\u{1F600}",
                           "\\/\\.\\-\\$",
                           "a{x}",
                           "}",
                           "\xc3\xa9"}) {
    CAPTURE(text);
    CHECK_NOTHROW(Pattern(text));
  }
}

TEST_CASE("what is not known is a FormatError that says where") {
  for (const char* text :
       {"(?=a)", "(?!a)", "(?<=a)",  "(?<!a)",      "(?i)a", "(?P<a>b)", "\\1",    "\\k<a>",
        "\\b",   "\\B",   "\\p{L}",  "\\cJ",        "a**",   "*a",       "^*",     "(a",
        "a)",    "[a",    "[]",      "[^]",         "[b-a]", "[a-\\d]",  "a{3,2}", "a{5000}",
        "\\",    "\\xZ",  "\\uD800", "\\u{110000}", "\\u{}", "(?<name",  "\xff"}) {
    CAPTURE(text);
    CHECK_THROWS_WITH(Pattern(text), Catch::Matchers::ContainsSubstring("[pattern]"));
  }
  CHECK_THROWS_WITH(Pattern("ab(?!c)"),
                    Catch::Matchers::ContainsSubstring("at byte 3: look-ahead"));
  CHECK_THROWS_AS(Pattern(std::string(100, '(') + std::string(100, ')')), FormatError);
}

TEST_CASE("classes hold what all readers agree on, or what one of them takes") {
  const auto set = [](const char* text, PatternReading reading) {
    const Pattern pattern(text, reading);
    return pattern.part(pattern.part(pattern.root()).parts.front()).set;
  };
  using enum PatternReading;
  constexpr char32_t kArabicDigit = 0x661;
  CHECK(set("\\d", certain).contains('7'));
  CHECK_FALSE(set("\\d", certain).contains(kArabicDigit));
  CHECK(set("\\d", possible).contains(kArabicDigit));
  CHECK_FALSE(set("\\D", certain).contains(kArabicDigit));
  CHECK(set("\\D", possible).contains(kArabicDigit));
  CHECK_FALSE(set("[^\\d]", certain).contains(kArabicDigit));
  CHECK(set("[^\\d]", possible).contains(kArabicDigit));
  CHECK(set("[^\\D]", certain) == set("\\d", certain));
  CHECK_FALSE(set(".", certain).contains(0x2028));
  CHECK(set("[a-c-]", certain).contains('-'));
}
