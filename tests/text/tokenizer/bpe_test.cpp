// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/tokenizer/bpe.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "flashlm/text/unicode/utf8.hpp"
#include "support/catch.hpp"

using flashlm::FormatError;
using flashlm::Token;
using namespace flashlm::text;
using Tokens = std::vector<Token>;

namespace {

Bpe parse(const std::string& json, bool of_bytes = true) {
  const auto document = flashlm::storage::parse_foreign_json(json, "tokenizer", "x.json");
  return Bpe::parse(flashlm::storage::JsonField(document, "tokenizer", "x.json", "model"),
                    of_bytes);
}

Tokens encode(const Bpe& bpe, std::string_view word) {
  Tokens tokens;
  bpe.encode(word, tokens);
  return tokens;
}

const std::string kVocabulary =
    R"("vocab": {"a":0,"b":1,"c":2,"ab":3,"bc":4,"abc":5,"aa":6,"aaaa":7,"Ġ":8})";

}  // namespace

TEST_CASE("the merge with the lowest rank is done first, the leftmost of equals first") {
  const Bpe bpe = parse("{" + kVocabulary +
                        R"(, "merges": ["b c", "a b", ["a", "a"], ["aa", "aa"], ["a", "bc"]]})");
  CHECK(encode(bpe, "abc") == Tokens{5});
  CHECK(encode(bpe, "ab") == Tokens{3});
  CHECK(encode(bpe, "aaa") == Tokens{6, 0});
  CHECK(encode(bpe, "aaaaaa") == Tokens{7, 6});
  CHECK(encode(bpe, "aabc") == Tokens{6, 4});
  CHECK(encode(bpe, " a") == Tokens{8, 0});
  CHECK(encode(bpe, "").empty());
  CHECK(bpe.id("abc") == 5);
  CHECK_FALSE(bpe.id("x"));
}

TEST_CASE("with ignore_merges a word of the vocabulary is taken whole") {
  const std::string merges = R"(, "merges": ["a a"], "ignore_merges": )";
  CHECK(encode(parse("{" + kVocabulary + merges + "true}"), "abc") == Tokens{5});
  CHECK(encode(parse("{" + kVocabulary + merges + "false}"), "abc") == Tokens{0, 1, 2});
}

TEST_CASE("a byte that the vocabulary lacks vanishes or becomes the unknown token") {
  CHECK(encode(parse("{" + kVocabulary + R"(, "merges": []})"), "axyb") == Tokens{0, 1});
  const std::string unknown = R"(, "merges": [], "unk_token": "c", "fuse_unk": )";
  CHECK(encode(parse("{" + kVocabulary + unknown + "false}"), "axyb") == Tokens{0, 2, 2, 1});
  CHECK(encode(parse("{" + kVocabulary + unknown + "true}"), "axyb") == Tokens{0, 2, 1});
}

TEST_CASE("a very long word costs no more than a long text") {
  const Bpe bpe = parse("{" + kVocabulary + R"(, "merges": ["a a", "aa aa"]})");
  const std::size_t length = 1 << 20;
  CHECK(encode(bpe, std::string(length, 'a')).size() == length / 4);
}

TEST_CASE("a model that is broken or unknown is a FormatError") {
  for (const char* json : {
           "null",
           "[]",
           "{}",
           R"({"type": "Unigram", "vocab": {}, "merges": []})",
           R"({"vocab": [], "merges": []})",
           R"({"vocab": {"a": -1}, "merges": []})",
           R"({"vocab": {"a": 16777216}, "merges": []})",
           R"({"vocab": {"a": "0"}, "merges": []})",
           R"({"vocab": {"a": 0, "b": 0}, "merges": []})",
           R"({"vocab": {"a": 0}, "merges": {}})",
           R"({"vocab": {"a": 0}, "merges": ["a"]})",
           R"({"vocab": {"a": 0}, "merges": ["a a"]})",
           R"({"vocab": {"a": 0, "aa": 1}, "merges": ["a a a"]})",
           R"({"vocab": {"a": 0, "aa": 1}, "merges": [["a"]]})",
           R"({"vocab": {"a": 0, "aa": 1}, "merges": [["a", 1]]})",
           R"({"vocab": {"a": 0, "aa": 1}, "merges": [7]})",
           R"({"vocab": {"a": 0}, "merges": [], "unk_token": "b"})",
           R"({"vocab": {"a": 0}, "merges": [], "byte_fallback": true})",
           R"({"vocab": {"a": 0}, "merges": [], "dropout": 0.1})",
           R"({"vocab": {"a": 0}, "merges": [], "end_of_word_suffix": "</w>"})",
       }) {
    CAPTURE(json);
    CHECK_THROWS_AS(parse(json), FormatError);
  }
}

TEST_CASE("characters that the vocabulary lacks become their bytes, or are unknown") {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    bytes += std::string(",\"<0x") + kDigits[static_cast<std::size_t>(byte / 16)] +
             kDigits[static_cast<std::size_t>(byte % 16)] + ">\":" + std::to_string(10 + byte);
  }
  const std::string model = R"("vocab": {"<unk>":0,"\u00e9":1,"a":2,"a\u00e9":3)";
  const std::string merges = R"(}, "merges": ["a \u00e9"], "unk_token": "<unk>")";
  const Bpe fallback = parse("{" + model + bytes + merges + R"(, "byte_fallback": true})", false);
  CHECK(encode(fallback, "a\u00e9\u00e9") == Tokens{3, 1});
  CHECK(encode(fallback, "\u00e8a") == Tokens{10 + 0xc3, 10 + 0xa8, 2});
  const Bpe unknown = parse("{" + model + merges + R"(, "fuse_unk": true})", false);
  CHECK(encode(unknown, "xy\u00e8a") == Tokens{0, 2});
  CHECK_THROWS_AS(parse("{" + model + merges + R"(, "byte_fallback": true})", false),
                  flashlm::FormatError);
  CHECK_THROWS_AS(parse("{" + model + bytes + merges + R"(, "byte_fallback": true})"),
                  flashlm::FormatError);
}
