// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/tokenizer/regex.hpp"

#include <string>
#include <vector>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"

using flashlm::ArgumentError;
using flashlm::text::Regex;

namespace {

/// How many bytes match at the beginning; -1 if there is no match.
int matched(const std::string& pattern, const std::string& text) {
  const auto end = Regex(pattern).match(text, 0);
  return end ? static_cast<int>(*end) : -1;
}

}  // namespace

TEST_CASE("the first alternative that matches counts, not the longest") {
  CHECK(matched("a|ab", "ab") == 1);
  CHECK(matched("ab|a", "ab") == 2);
  CHECK(matched("b|c", "ab") == -1);
  CHECK(matched("(?:a|ab)c", "abc") == 3);
  CHECK(matched("", "abc") == 0);
}

TEST_CASE("a repetition takes all, and gives back what the rest needs") {
  CHECK(matched("a+", "aaab") == 3);
  CHECK(matched("a*a", "aaab") == 3);
  CHECK(matched("a{2,3}a", "aaa") == 3);
  CHECK(matched("a{2}", "aaa") == 2);
  CHECK(matched("a{2,}", "aaa") == 3);
  CHECK(matched("a{4,}", "aaa") == -1);
  CHECK(matched("\u00e9+\u00e9a", "\u00e9\u00e9\u00e9a") == 7);
  CHECK(matched("a++a", "aaa") == -1);
  CHECK(matched("a?+a", "a") == -1);
  CHECK(matched("(?:ab)?c", "abc") == 3);
  CHECK(matched("(?:ab)?c", "c") == 1);
  CHECK(matched("x(?:a|b)?(?:c)?d", "xbd") == 3);
}

TEST_CASE("classes hold ranges, categories, spaces and their negations") {
  CHECK(matched("[a-c-]+", "a-cd") == 3);
  CHECK(matched("[^\\s\\p{L}]+", "12 a") == 2);
  CHECK(matched("[\\p{Lu}\\p{M}]+", "A\u0301b") == 3);
  CHECK(matched("\\p{N}{1,3}", "1234") == 3);
  CHECK(matched("\\P{N}+", "ab1") == 2);
  CHECK(matched("\\S+", "ab c") == 2);
  CHECK(matched("[]a]+", "]a") == 2);
  CHECK(matched("[\\[\\]\\\\]+", "[]\\") == 3);
  CHECK(matched(".+", "a\nb") == 1);
}

TEST_CASE("looks ahead, and knows the ends of lines") {
  CHECK(matched("\\s+(?!\\S)|\\s+", "   a") == 2);
  CHECK(matched("\\s+(?!\\S)|\\s+", "   ") == 3);
  CHECK(matched("\\s+(?!\\S)|\\s+", " a") == 1);
  CHECK(matched("a(?=b)", "ab") == 1);
  CHECK(matched("a(?=b)", "ac") == -1);
  CHECK(matched("a$", "a\nb") == 1);
  CHECK(matched("a$", "ab") == -1);
  CHECK(matched("^a", "a") == 1);
}

TEST_CASE("in any case the long s is an s, and the kelvin sign a k") {
  CHECK(matched("(?i:'s|'k)", "'S") == 2);
  CHECK(matched("(?i:'s|'k)", "'\u017f") == 3);
  CHECK(matched("(?i:'s|'k)", "'\u212a") == 4);
  CHECK(matched("(?i:'s)|'t", "'T") == -1);
}

TEST_CASE("what is not known is refused by its place") {
  for (const char* pattern :
       {"a)", "(a", "[a", "a{", "a{2,1}", "(a)+", "a+?", "a**", "\\b", "\\q", "\\p{Han}",
        "[[:alpha:]]", "[a&&b]", "(?<n>a)", "*a", "[b-a]", "a{1}+", "\\", "(?i:[a-z])"}) {
    CAPTURE(pattern);
    CHECK_THROWS_AS(Regex(pattern), ArgumentError);
  }
  CHECK_THROWS_WITH(Regex("ab\\b"), Catch::Contains("at byte 4 of ab"));
  CHECK_THROWS_AS(Regex(std::string(1000, '(')), ArgumentError);
}

TEST_CASE("a long run costs time in proportion, and no memory for each character") {
  const std::string text(1000000, ' ');
  CHECK(Regex("\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+").match(text, 0) == text.size());
  CHECK(Regex("[^a]+a|[^a]+").match(text, 0) == text.size());
}
