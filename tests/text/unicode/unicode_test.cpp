// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/unicode/unicode.hpp"

#include <cstddef>
#include <cstdint>
#include <iterator>

#include "support/catch.hpp"

using namespace flashlm::text;

namespace {

template <std::size_t N>
bool is_ascending(const detail::CodeRange (&ranges)[N]) {
  for (std::size_t index = 0; index < N; ++index) {
    if (ranges[index].first > ranges[index].last || ranges[index].last > 0x10ffff) return false;
    if (index > 0 && ranges[index].first <= ranges[index - 1].last + 1) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("the tables of characters are ascending and have no neighbours that could be one") {
  CHECK(is_ascending(detail::kNumerics));
  CHECK(is_ascending(detail::kPunctuations));
  CHECK(is_ascending(detail::kSpaces));
  CHECK(is_ascending(detail::kWords));
}

TEST_CASE("runs of one category are ascending, and neighbours differ") {
  CHECK(detail::kCategories[0] >> 5 == 0);
  for (std::size_t index = 1; index < std::size(detail::kCategories); ++index) {
    const std::uint32_t run = detail::kCategories[index], before = detail::kCategories[index - 1];
    CHECK(run >> 5 > before >> 5);
    CHECK((run & 31) != (before & 31));
    CHECK((run & 31) <= static_cast<std::uint32_t>(Category::Cn));
  }
}

TEST_CASE("a character has one category") {
  CHECK(category(U'A') == Category::Lu);
  CHECK(category(U'\u01c5') == Category::Lt);
  CHECK(category(U'\u0301') == Category::Mn);
  CHECK(category(U'\u20ac') == Category::Sc);
  CHECK(category(0x10ffff) == Category::Cn);
  CHECK(from_to(Category::Lu, Category::Lt) ==
        (bit(Category::Lu) | bit(Category::Ll) | bit(Category::Lt)));
}

TEST_CASE("the quick answers for ASCII are those of the tables") {
  for (char32_t code = 0; code < 0x80; ++code) {
    CAPTURE(static_cast<unsigned>(code));
    CHECK(is_letter(code) == ((bit(category(code)) & kLetters) != 0));
    CHECK(is_number(code) == ((bit(category(code)) & kNumbers) != 0));
    CHECK(is_numeric(code) == detail::contains(detail::kNumerics, code));
    CHECK(is_space(code) == detail::contains(detail::kSpaces, code));
    CHECK(is_word(code) == detail::contains(detail::kWords, code));
  }
}

TEST_CASE("characters of many scripts are in their class") {
  CHECK(is_letter(U'\u00e9'));
  CHECK(is_letter(U'\u4e2d'));
  CHECK(is_letter(U'\u02b0'));        // a modifier letter
  CHECK_FALSE(is_letter(U'\u0301'));  // a combining accent
  CHECK(is_word(U'\u0301'));
  CHECK(is_number(U'\u00bd'));
  CHECK(is_numeric(U'\u2167'));
  CHECK_FALSE(is_number(U'\u4e00'));
  CHECK(is_space(U'\u3000'));
  CHECK_FALSE(is_space(U'\u200b'));
  CHECK_FALSE(is_letter(0x10ffff));
}
