// SPDX-License-Identifier: Apache-2.0
/// caseless_test.cpp: case and the way of writing accents do not count.
#include "flashlm/tools/http/caseless.hpp"

#include <cstdint>
#include <string>
#include <string_view>

#include "flashlm/text/unicode/utf8.hpp"
#include "support/catch.hpp"

using namespace flashlm::tools;

TEST_CASE("Case does not count in any script that has it") {
  CHECK(caseless(U"\u00C9TUDE") == caseless(U"\u00e9tude"));
  CHECK(caseless(U"\u041c\u041e\u0414\u0415\u041b\u042c") ==
        caseless(U"\u043c\u043e\u0434\u0435\u043b\u044c"));
  CHECK(caseless(U"\u03a3\u039f\u03a6\u039f\u03a3") ==
        caseless(U"\u03c3\u03bf\u03c6\u03bf\u03c2"));  // a final sigma
  CHECK(caseless(U"STRASSE") == caseless(U"stra\u00dfe"));
  CHECK(caseless(U"\U00010400") == caseless(U"\U00010428"));
  CHECK(caseless(U"\u0130") == caseless(U"i\u0307"));  // Turkish, without the rules of Turkish
  CHECK(caseless(U"\u8bed\u97f3") == U"\u8bed\u97f3");
  CHECK(caseless(U"etude") != caseless(U"\u00e9tude"));
}

TEST_CASE("An accent counts the same in a letter and after it, in any order") {
  CHECK(caseless(U"\u00e9") == U"e\u0301");
  CHECK(caseless(U"\u1ED8") == caseless(U"O\u0323\u0302"));
  CHECK(caseless(U"\u1ED8") == caseless(U"o\u0302\u0323"));
  CHECK(caseless(U"\uAC01") == U"\u1100\u1161\u11a8");
  CHECK(caseless(U"\u304C") == U"\u304B\u3099");
  CHECK(caseless(U"\u212B") == caseless(U"\u00e5"));  // the angstrom sign
}

TEST_CASE("Every code point becomes what Python's unicodedata makes of it") {
  std::uint64_t sum = 0xcbf29ce484222325;
  for (char32_t code = 0; code < 0x110000; ++code) {
    const bool left_out = (code >= 0xd800 && code < 0xe000) || (code >= 0xf900 && code < 0xfb00) ||
                          (code >= 0x2f800 && code < 0x2fa20);
    if (left_out) continue;
    std::string bytes;
    for (const char32_t part : caseless({&code, 1})) flashlm::text::append_utf8(bytes, part);
    for (const char byte : bytes + "\n")
      sum = (sum ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  CHECK(sum == detail::kFoldSum);
}

TEST_CASE("What was folded stays as it is") {
  for (char32_t code = 0; code < 0x20000; ++code) {
    const std::u32string once = caseless({&code, 1});
    if (caseless(once) != once) FAIL(static_cast<std::uint32_t>(code));
  }
}

TEST_CASE("Broken UTF-8 is read as U+FFFD") {
  CHECK(code_points("a\xc3\xa9\xff\xe8\xaf") == U"a\u00e9\ufffd\ufffd");
  CHECK(is_mark(U'\u0301'));
  CHECK_FALSE(is_mark(U'e'));
}
