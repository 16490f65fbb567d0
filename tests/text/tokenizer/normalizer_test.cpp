// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/tokenizer/normalizer.hpp"

#include <string>

#include "flashlm/base/error.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/text/unicode/utf8.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using text::nfc;
using text::Normalizer;

namespace {

std::string run(const std::string& json, const std::string& text) {
  const storage::Json document =
      storage::parse_foreign_json(R"({"normalizer": )" + json + "}", "tokenizer", "test");
  const storage::JsonField root(document, "tokenizer", "test");
  return Normalizer::parse(root["normalizer"]).run(text);
}

}  // namespace

TEST_CASE("NFC joins what one character says, in the order of the marks") {
  CHECK(nfc("e\u0301") == "\u00e9");
  CHECK(nfc("a\u0308\u0323") == "\u1ea1\u0308");   // the mark below comes first
  CHECK(nfc("a\u0301\u0301") == "\u00e1\u0301");   // the second is blocked
  CHECK(nfc("\u212b \u2126") == "\u00c5 \u03a9");  // singletons
  CHECK(nfc("\u0958") == "\u0915\u093c");          // is never joined again
  CHECK(nfc("\u1100\u1161\u11a8") == "\uac01");    // Hangul
  CHECK(nfc("\uac00\u11a8") == "\uac01");
  CHECK(nfc("\u0301a") == "\u0301a");
  CHECK(nfc("\u09c7\u09be") == "\u09cb");  // two that stand by themselves
  CHECK(nfc("") == "");
  CHECK(nfc("plain, \u4e2d\u6587 \U0001f600") == "plain, \u4e2d\u6587 \U0001f600");
}

TEST_CASE("a text in normal form stays, wherever it is cut at what stays") {
  Random random(5);
  const char32_t marks[] = {0x301, 0x323, 0x327, 0x308, 0x93c, 0x11a8, 0x1161, 0x9be, 0x345};
  for (int round = 0; round < 2000; ++round) {
    std::string left, right;
    for (std::string* text : {&left, &right}) {
      for (std::uint64_t n = random.next() % 6; n > 0; --n) {
        const bool mark = random.next() % 2 == 0;
        text::append_utf8(*text, mark ? marks[random.next() % 9]
                                      : static_cast<char32_t>(random.next() % 0x2000 + 1));
      }
    }
    const std::string once = nfc(left);
    CHECK(nfc(once) == once);
    CHECK(nfc(left + "," + right) == nfc(left) + "," + nfc(right));
  }
}

TEST_CASE("steps follow each other") {
  const std::string spaces = R"({"type": "Replace", "pattern": {"String": " "}, "content": "_"})";
  CHECK(run("null", " a ") == " a ");
  CHECK(run(spaces, "a b  c") == "a_b__c");
  CHECK(run(R"({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "_"}, )" +
                spaces + "]}",
            "a b") == "_a_b");
  CHECK(run(R"({"type": "Prepend", "prepend": "_"})", "") == "");
  CHECK(run(R"({"type": "Strip", "strip_left": true, "strip_right": false})", " \u3000a ") == "a ");
  CHECK(run(R"({"type": "Strip"})", " a\u00e9\u2003") == "a\u00e9");
  CHECK(run(R"({"type": "NFC"})", "e\u0301") == "\u00e9");
}

TEST_CASE("an unknown normalizer is refused by name") {
  CHECK_THROWS_WITH(run(R"({"type": "Lowercase"})", ""), Catch::Contains("Lowercase"));
  CHECK_THROWS_AS(run(R"({"type": "Precompiled", "precompiled_charsmap": ""})", ""), FormatError);
  CHECK_THROWS_AS(run(R"({"type": "Replace", "pattern": {"Regex": "a"}, "content": ""})", ""),
                  FormatError);
}
