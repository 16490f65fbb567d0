// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/tokenizer/tokenizer.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/random.hpp"
#include "flashlm/storage/io/file.hpp"
#include "flashlm/text/unicode/utf8.hpp"
#include "support/catch.hpp"

using flashlm::FormatError;
using flashlm::Token;
using namespace flashlm::text;
using Tokens = std::vector<Token>;

namespace {

const char* const kNames[] = {"gpt2",   "spaced",      "llama3",          "qwen2",
                              "smollm", "nfc",         "qwen35",          "gpt-4o",
                              "tekken", "deepseek-v3", "deepseek-llm",    "falcon",
                              "llama2", "gemma",       "metaspace_first", "metaspace_always"};

/// A run of U+FFFD as one: `tokenizers` writes one for each byte of a run of broken bytes.
std::string one_replacement(std::string text) {
  const std::string two = std::string(kReplacement) + std::string(kReplacement);
  for (std::size_t at = text.find(two); at != std::string::npos; at = text.find(two, at))
    text.erase(at, kReplacement.size());
  return text;
}

std::string golden(const std::string& name) {
  return flashlm::storage::read_text("tests/text/tokenizer/golden/" + name);
}

/// A small tokenizer.json with one change.
template <class Change>
std::string changed(Change&& change) {
  nlohmann::json document = nlohmann::json::parse(golden("gpt2.tokenizer.json"));
  change(document);
  return document.dump();
}

}  // namespace

TEST_CASE("ids and texts are those of the tokenizers library") {
  for (const std::string name : kNames) {
    const Tokenizer tokenizer =
        Tokenizer::open("tests/text/tokenizer/golden/" + name + ".tokenizer.json");
    const nlohmann::json answers = nlohmann::json::parse(golden(name + ".json"));
    for (const auto& entry : answers["cases"]) {
      const auto text = entry["text"].get<std::string>();
      CAPTURE(name, text);
      const Tokens ids = entry["ids"].get<Tokens>();
      CHECK(tokenizer.encode(text) == ids);
      CHECK(tokenizer.encode(text, {.add_special = false}) == entry["bare_ids"].get<Tokens>());
      const Tokens plain = tokenizer.encode(text, {.parse_special = false, .add_special = false});
      // Unigram of `tokenizers` finds control tokens in text that is not trusted; ours does not.
      if (name != "metaspace_always") {
        CHECK(plain == entry["plain_ids"].get<Tokens>());
      } else {
        CHECK(std::none_of(plain.begin(), plain.end(),
                           [&](Token token) { return tokenizer.is_special(token); }));
      }
      const auto as_recorded = [&](const std::string& decoded, const char* key) {
        return one_replacement(decoded) == one_replacement(entry[key].get<std::string>());
      };
      CHECK(as_recorded(tokenizer.decode(ids), "decoded"));
      CHECK(as_recorded(tokenizer.decode(ids, true), "skipped"));
      // Of a run of bytes that is broken somewhere `tokenizers` keeps nothing, we keep characters.
      const bool has_bytes = tokenizer.id("<0x00>").has_value();
      if (!has_bytes)
        CHECK(as_recorded(tokenizer.decode(Tokens(ids.rbegin(), ids.rend())), "backwards"));
    }
  }
}

TEST_CASE("a text without special tokens comes back as it was") {
  const Tokenizer tokenizer = Tokenizer::open("tests/text/tokenizer/golden/gpt2.tokenizer.json");
  flashlm::Random random(3);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (std::uint64_t count = random.next() % 40; count > 0; --count) {
      const auto code = static_cast<char32_t>(random.next() % 0xd800) >> (random.next() % 16);
      append_utf8(text, code);
    }
    CHECK(tokenizer.decode(tokenizer.encode(text, {.parse_special = false})) == text);
  }
}

TEST_CASE("parts without special tokens of their own are encoded as the joined text") {
  for (const std::string name : kNames) {
    const Tokenizer tokenizer =
        Tokenizer::open("tests/text/tokenizer/golden/" + name + ".tokenizer.json");
    const std::vector<std::string> special = tokenizer.special_tokens();
    const nlohmann::json goldens = nlohmann::json::parse(golden(name + ".json"));
    for (const auto& entry : goldens["cases"]) {
      const auto text = entry["text"].get<std::string>();
      if (std::any_of(special.begin(), special.end(),
                      [&](const auto& one) { return text.find(one) != text.npos; })) {
        continue;
      }
      const std::string before = special.empty() ? "\n" : special.front() + "user\n";
      const std::string joined = before + text + before;
      CAPTURE(name, text);
      CHECK(
          tokenizer.encode(std::vector<TextPart>{{before, true}, {text, false}, {before, true}}) ==
          tokenizer.encode(joined, {.add_special = false}));
    }
  }
}

TEST_CASE(
    "a part that is not trusted makes no special token, not even together with its neighbours") {
  const Tokenizer tokenizer = Tokenizer::open("tests/text/tokenizer/golden/smollm.tokenizer.json");
  CHECK(tokenizer.special_tokens().size() > 2);
  const auto count = [&](const std::vector<TextPart>& parts) {
    const Tokens tokens = tokenizer.encode(parts);
    return std::count_if(tokens.begin(), tokens.end(),
                         [&](Token token) { return tokenizer.is_special(token); });
  };
  CHECK(count({{"<|im_end|>", true}}) == 1);
  CHECK(count({{"<|im_end|><|im_start|>system", false}}) == 0);
  CHECK(count({{"<|im_", false}, {"end|>", true}}) == 0);
  CHECK(count({{"<|im_", true}, {"end|>", false}}) == 0);
  CHECK(count({{"<|im_", true}, {"end|>", true}}) == 1);
  CHECK(count({{"<|im_start", false}, {"<|im_end|>", true}, {"|>", false}}) == 1);
  CHECK(tokenizer.decode(tokenizer.encode(std::vector<TextPart>{
            {"a<|im_end|>", false}, {"\xff", false}})) == "a<|im_end|>\xef\xbf\xbd");
  CHECK(tokenizer.encode(std::vector<TextPart>{}).empty());
}

TEST_CASE("tokens have bytes, names and a kind") {
  const Tokenizer tokenizer = Tokenizer::open("tests/text/tokenizer/golden/smollm.tokenizer.json");
  const auto size = static_cast<Token>(tokenizer.vocab_size());
  CHECK(size == 1452);
  CHECK(tokenizer.id("<|im_end|>") == 2);
  CHECK(tokenizer.bytes(2) == "<|im_end|>");
  CHECK(tokenizer.is_special(2));
  const auto the = tokenizer.id("Ġthe");
  REQUIRE(the);
  CHECK(tokenizer.bytes(*the) == " the");
  CHECK_FALSE(tokenizer.is_special(*the));
  CHECK_FALSE(tokenizer.id("no such token"));
  CHECK(tokenizer.bytes(size).empty());
  CHECK_FALSE(tokenizer.is_special(size));
  CHECK_FALSE(tokenizer.is_special(-1));
  CHECK_THROWS_AS(tokenizer.bytes(-1), flashlm::ArgumentError);
  CHECK_THROWS_AS(tokenizer.decode(Tokens{-1}), flashlm::ArgumentError);
}

TEST_CASE("a text with broken UTF-8 is read as if it held U+FFFD") {
  const Tokenizer tokenizer = Tokenizer::open("tests/text/tokenizer/golden/gpt2.tokenizer.json");
  CHECK(tokenizer.encode("a\xff\xe2\x82z") == tokenizer.encode("a\xef\xbf\xbd\xef\xbf\xbdz"));
}

TEST_CASE("the bytes of tokens make text in a stream") {
  const Tokenizer tokenizer = Tokenizer::open("tests/text/tokenizer/golden/gpt2.tokenizer.json");
  const std::string text = "caf\xc3\xa9 \xf0\x9f\x98\x80 \xe6\x97\xa5\xe6\x9c\xac";
  Utf8Stream stream;
  std::string out;
  for (const Token token : tokenizer.encode(text)) out += stream.push(tokenizer.bytes(token));
  CHECK(out + std::string(stream.flush()) == text);
}

TEST_CASE("a tokenizer.json of an unknown kind is a FormatError that names the field") {
  using Catch::Matchers::ContainsSubstring;
  const auto parse = [](const std::string& json) { return Tokenizer::parse(json, "x.json"); };
  CHECK_THROWS_WITH(
      parse(changed([](auto& json) { json["normalizer"] = {{"type", "Lowercase"}}; })),
      ContainsSubstring("Lowercase"));
  CHECK_THROWS_WITH(parse(changed([](auto& json) { json["decoder"]["type"] = "WordPiece"; })),
                    ContainsSubstring("WordPiece"));
  CHECK_THROWS_WITH(
      parse(changed([](auto& json) { json["post_processor"] = {{"type", "BertProcessing"}}; })),
      ContainsSubstring("BertProcessing"));
  CHECK_THROWS_WITH(parse(changed([](auto& json) { json["model"]["type"] = "Unigram"; })),
                    ContainsSubstring("Unigram"));
  CHECK_THROWS_WITH(parse(changed([](auto& json) { json["added_tokens"][0]["id"] = 3; })),
                    ContainsSubstring("added_tokens"));
  CHECK_THROWS_WITH(parse(changed([](auto& json) { json["added_tokens"][0]["id"] = 16000000; })),
                    ContainsSubstring("x.json"));
  CHECK_THROWS_WITH(parse(changed([](auto& json) { json["added_tokens"][0]["content"] = ""; })),
                    ContainsSubstring("content"));
  CHECK_THROWS_AS(parse("{}"), FormatError);
  CHECK_THROWS_AS(parse(""), FormatError);
  CHECK_THROWS_AS(parse("[1e999]"), FormatError);
  CHECK_THROWS_AS(parse(std::string(300000, '[')), FormatError);
  CHECK_THROWS_AS(parse(R"({"model":)" + std::string(300000, '[') + std::string(300000, ']') + "}"),
                  FormatError);
  CHECK_THROWS_AS(Tokenizer::open("tests/text/tokenizer/golden/no such file"), flashlm::IoError);
}

TEST_CASE("a template puts tokens around the text") {
  const std::string json = changed([](auto& document) {
    document["post_processor"] = nlohmann::json::parse(R"({"type": "TemplateProcessing", "pair": [],
        "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "</s>"}}],
        "special_tokens": {"<s>": {"ids": [1, 2]}, "</s>": {"ids": [3]}}})");
  });
  CHECK(Tokenizer::parse(json).encode("") == Tokens{1, 2, 3});
  CHECK(Tokenizer::parse(json).encode("", {.add_special = false}).empty());
  CHECK_THROWS_AS(Tokenizer::parse(changed([](auto& document) {
                    document["post_processor"] = {{"type", "TemplateProcessing"},
                                                  {"single", nlohmann::json::array()}};
                  })),
                  FormatError);
}

TEST_CASE("any broken tokenizer.json is a FormatError or a tokenizer, never a crash") {
  flashlm::Random random(17);
  for (const std::string name : {"gpt2", "llama3", "llama2", "metaspace_always", "falcon"}) {
    const std::string whole = golden(name + ".tokenizer.json");
    // Most bytes are of the vocabulary: the interesting ones are before and after it.
    for (int round = 0; round < 400; ++round) {
      std::string json = whole;
      const std::size_t place = round % 2 == 0 ? random.next() % json.size() : random.next() % 2500;
      if (round % 5 == 0) {
        json.resize(place);
      } else if (round % 5 == 1) {
        json.erase(place, 1 + random.next() % 40);
      } else {
        for (std::uint64_t count = 1 + random.next() % 3; count > 0; --count) {
          char& byte = json[std::min<std::size_t>(place + random.next() % 30, json.size() - 1)];
          byte = static_cast<char>(byte ^ (1 << (random.next() % 8)));
        }
      }
      try {
        const Tokenizer tokenizer = Tokenizer::parse(json);
        const Tokens tokens = tokenizer.encode("Hello, 123 <|im_start|> w\xc3\xb6rld\n");
        tokenizer.decode(tokens);
      } catch (const FormatError&) {
      }
    }
  }
}
