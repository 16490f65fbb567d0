// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/unicode/utf8.hpp"

#include <algorithm>
#include <cstdint>
#include <iomanip>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/base/random.hpp"
#include "support/catch.hpp"

using namespace flashlm::text;

TEST_CASE("every character is written and read back") {
  for (char32_t code = 0; code <= 0x10ffff; ++code) {
    if (code >= 0xd800 && code < 0xe000) continue;
    std::string text;
    append_utf8(text, code);
    const Utf8Step step = utf8_step(text);
    if (step.kind != Utf8Step::Kind::complete || step.code != code || step.length != text.size()) {
      FAIL("U+" << std::hex << static_cast<unsigned>(code));
    }
  }
}

TEST_CASE("broken bytes become one U+FFFD for each maximal subpart") {
  const std::string bad = "\xef\xbf\xbd";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"plain", "plain"},
      {"a\x80z", "a" + bad + "z"},
      {"\xc0\xaf", bad + bad},                      // overlong
      {"\xe0\x80\x80", bad + bad + bad},            // overlong
      {"\xed\xa0\x80", bad + bad + bad},            // a surrogate
      {"\xf4\x90\x80\x80", bad + bad + bad + bad},  // beyond U+10FFFF
      {"\xf0\x9f\x98", bad},                        // cut at the end
      {"\xf0\x9f\x98z", bad + "z"},
      {"\xe2\x82\xe2\x82\xac", bad + "\xe2\x82\xac"},
      {"\xff\xfe", bad + bad},
      {"\xf1\x80\x80\xe1\x80\xc2"
       "b",
       bad + bad + bad + "b"},  // table 3-8 of the standard
  };
  for (const auto& [bytes, text] : cases) {
    CHECK(utf8_lossy(bytes) == text);
    CHECK(is_utf8(bytes) == (bytes == text));
  }
}

TEST_CASE("a stream gives the same text however its bytes are cut") {
  flashlm::Random random(1);
  const std::vector<std::string> parts = {"a",       "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                          "\x80",    "\xf0\x9f", "\xed\xa0\x80", "\xff",
                                          "\xe2\x82"};
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    for (std::uint64_t count = random.next() % 12; count > 0; --count)
      bytes += parts[random.next() % parts.size()];
    Utf8Stream stream;
    std::string text;
    for (std::size_t begin = 0; begin < bytes.size();) {
      const std::size_t length = std::min<std::size_t>(random.next() % 4, bytes.size() - begin);
      const std::string_view piece = stream.push(std::string_view(bytes).substr(begin, length));
      CHECK(is_utf8(piece));
      text += piece;
      begin += length;
    }
    text += stream.flush();
    CHECK(text == utf8_lossy(bytes));
    CHECK(stream.flush().empty());
  }
}

TEST_CASE("a stream waits for the rest of a character and no longer") {
  Utf8Stream stream;
  CHECK(stream.push("\xf0\x9f").empty());
  CHECK(stream.push("\x98").empty());
  CHECK(stream.push("\x80!") == "\xf0\x9f\x98\x80!");
  CHECK(stream.push("ok\xe2") == "ok");
  CHECK(stream.push("x") == "\xef\xbf\xbdx");
}
