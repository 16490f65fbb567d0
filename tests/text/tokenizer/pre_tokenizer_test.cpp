// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/tokenizer/pre_tokenizer.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "flashlm/base/random.hpp"
#include "support/catch.hpp"

using namespace flashlm::text;
using Words = std::vector<std::string>;

namespace {

PreTokenizer parse(const std::string& json) {
  const auto document = flashlm::storage::parse_foreign_json(json, "tokenizer", "x.json");
  return PreTokenizer::parse(
      flashlm::storage::JsonField(document, "tokenizer", "x.json", "pre_tokenizer"));
}

Words words(const std::string& json, std::string_view text) {
  Words result;
  parse(json).split(text, true, [&](std::string_view word) { result.emplace_back(word); });
  return result;
}

std::string split(const detail::KnownRegex& known) {
  return nlohmann::json{
      {"type", "Sequence"},
      {"pretokenizers",
       {{{"type", "Split"},
         {"pattern", {{"Regex", known.pattern}}},
         {"behavior", "Isolated"},
         {"invert", false}},
        {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}}
      .dump();
}

const std::string kGpt2 = R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": true})";
const std::string kBytes =
    R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false})";
const std::string kLlama3 = split(detail::kKnownRegexes[2]);
const std::string kQwen2 = split(detail::kKnownRegexes[3]);

std::string before_bytes(const std::string& part) {
  return R"({"type": "Sequence", "pretokenizers": [)" + part + "," + kBytes + "]}";
}

}  // namespace

TEST_CASE("GPT-2 cuts words with their leading space, numbers, signs and spaces") {
  CHECK(words(kGpt2, "Hello world 12.5%!") == Words{"Hello", " world", " 12", ".", "5", "%!"});
  CHECK(words(kGpt2, "I'm they'll IT'S") == Words{"I", "'m", " they", "'ll", " IT", "'", "S"});
  CHECK(words(kGpt2, "a   b\n\n c  ") == Words{"a", "  ", " b", "\n\n", " c", "  "});
}

TEST_CASE("Llama 3 cuts three digits at a time and lines with their breaks") {
  CHECK(words(kLlama3, "12345 x") == Words{"123", "45", " x"});
  CHECK(words(kLlama3, "IT'S (yes)\n\n  no") ==
        Words{"IT", "'S", " (", "yes", ")\n\n", " ", " no"});
  CHECK(words(kLlama3, "a \n \n  b") == Words{"a", " \n \n", " ", " b"});
  CHECK(words(kLlama3, "it'\xc5\xbfx") == Words{"it", "'\xc5\xbf", "x"});
}

TEST_CASE("Qwen 2 cuts single digits") {
  CHECK(words(kQwen2, "a 12") == Words{"a", " ", "1", "2"});
}

TEST_CASE("digits are cut one by one or in runs") {
  CHECK(words(before_bytes(R"({"type": "Digits", "individual_digits": true})"), "a12 3") ==
        Words{"a", "1", "2", " ", "3"});
  CHECK(words(before_bytes(R"({"type": "Digits", "individual_digits": false})"), "a12 3") ==
        Words{"a", "12", " ", "3"});
}

TEST_CASE("a string is isolated or removed") {
  const std::string cut =
      R"({"type": "Split", "pattern": {"String": "--"}, "invert": false, "behavior": )";
  CHECK(words(before_bytes(cut + R"("Isolated"})"), "a--b---") == Words{"a", "--", "b", "--", "-"});
  CHECK(words(before_bytes(cut + R"("Removed"})"), "a--b---") == Words{"a", "b", "-"});
}

TEST_CASE("a space is put before text that has none") {
  const std::string spaced =
      R"({"type": "ByteLevel", "add_prefix_space": true, "use_regex": true})";
  CHECK(words(spaced, "a b") == Words{" a", " b"});
  CHECK(words(spaced, " a") == Words{" a"});
  CHECK(words(spaced, "").empty());
}

TEST_CASE("the words of a text are the text") {
  flashlm::Random random(7);
  const Words parts = {" ",
                       "\n",
                       "\r",
                       "\t",
                       "a",
                       "Z",
                       "1",
                       "\xc2\xbd",
                       "'",
                       "s",
                       "!",
                       "\xc3\xa9",
                       "\xe2\x80\xa8",
                       "\xf0\x9f\x98\x80",
                       "\xcc\x81"};
  for (const std::string& json : {kGpt2, kLlama3, kQwen2, before_bytes(R"({"type": "Digits"})")}) {
    const PreTokenizer pre_tokenizer = parse(json);
    for (int round = 0; round < 500; ++round) {
      std::string text;
      for (std::uint64_t count = random.next() % 20; count > 0; --count)
        text += parts[random.next() % parts.size()];
      std::string joined;
      pre_tokenizer.split(text, true, [&](std::string_view word) {
        CHECK(!word.empty());
        joined += word;
      });
      CHECK(joined == text);
    }
  }
}

TEST_CASE("a pre-tokenizer that is not known is a FormatError that names it") {
  using Catch::Matchers::ContainsSubstring;
  CHECK_THROWS_WITH(parse(R"({"type": "Whitespace"})"), ContainsSubstring("Whitespace"));
  CHECK_THROWS_WITH(
      parse(before_bytes(
          R"({"type": "Split", "pattern": {"Regex": "\\b"}, "behavior": "Isolated"})")),
      ContainsSubstring("\\b"));
  CHECK_THROWS_WITH(
      parse(before_bytes(
          R"({"type": "Split", "pattern": {"String": "a"}, "behavior": "MergedWithLast"})")),
      ContainsSubstring("MergedWithLast"));
  for (const std::string& json :
       {std::string("[]"), std::string(R"({"type": "Sequence", "pretokenizers": {}})"),
        before_bytes(kBytes),
        before_bytes(R"({"type": "Split", "pattern": {"String": ""}, "behavior": "Isolated"})"),
        before_bytes(R"({"type": "Split", "pattern": {}, "behavior": "Isolated"})")}) {
    CHECK_THROWS_AS(parse(json), flashlm::FormatError);
  }
  std::string nested = kBytes;
  for (int depth = 0; depth < 1000; ++depth)
    nested = R"({"type": "Sequence", "pretokenizers": [)" + nested + "]}";
  CHECK_THROWS_AS(parse(nested), flashlm::FormatError);
}

namespace {

std::vector<std::string> signs(const std::string& scheme, bool split, const std::string& text,
                               bool begins) {
  std::vector<std::string> words;
  parse(R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": ")" + scheme +
        R"(", "split": )" + (split ? "true}" : "false}"))
      .split(text, begins, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

std::vector<std::string> at_a(const std::string& behavior, const std::string& text) {
  std::vector<std::string> words;
  parse(R"({"type": "Split", "pattern": {"Regex": "a"}, "behavior": ")" + behavior + R"("})")
      .split(text, true, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

}  // namespace

TEST_CASE("a space becomes a sign, and one is put before a text") {
  CHECK(signs("always", true, "a b", false) == Words{"_a", "_b"});
  CHECK(signs("always", false, "a b", false) == Words{"_a_b"});
  CHECK(signs("first", true, "a  b", true) == Words{"_a", "_", "_b"});
  CHECK(signs("first", true, "a b", false) == Words{"a", "_b"});
  CHECK(signs("never", true, "a b", true) == Words{"a", "_b"});
  CHECK(signs("always", true, " a", true) == Words{"_a"});
}

TEST_CASE("what a pattern finds stands alone, goes, or joins its neighbour") {
  CHECK(at_a("Isolated", "xaay") == Words{"x", "a", "a", "y"});
  CHECK(at_a("Removed", "xaay") == Words{"x", "y"});
  CHECK(at_a("MergedWithPrevious", "xaay") == Words{"xa", "a", "y"});
  CHECK(at_a("MergedWithNext", "xaay") == Words{"x", "a", "ay"});
  CHECK(at_a("Contiguous", "xaaya") == Words{"x", "aa", "y", "a"});
}
