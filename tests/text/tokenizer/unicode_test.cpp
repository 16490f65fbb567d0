// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/tokenizer/unicode.hpp"

#include <cstddef>
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
  CHECK(is_ascending(detail::kLetters));
  CHECK(is_ascending(detail::kNumbers));
  CHECK(is_ascending(detail::kNumerics));
  CHECK(is_ascending(detail::kSpaces));
  CHECK(is_ascending(detail::kWords));
}

TEST_CASE("the quick answers for ASCII are those of the tables") {
  for (char32_t code = 0; code < 0x80; ++code) {
    CAPTURE(static_cast<unsigned>(code));
    CHECK(is_letter(code) == detail::contains(detail::kLetters, code));
    CHECK(is_number(code) == detail::contains(detail::kNumbers, code));
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
