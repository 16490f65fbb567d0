// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/token_mask.hpp"

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/text/grammar/grammar.hpp"
#include "support/catch.hpp"
#include "support/grammar.hpp"

using namespace flashlm;
using text::ByteTrie;
using text::Grammar;
using text::GrammarStates;
using text::TokenMask;

namespace {

/// All bytes, then random pieces of random texts of all example schemas, then an ending token and a
/// twin.
std::vector<std::string> vocabulary() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  Random random(9);
  for (const std::string& schema : support::example_schemas()) {
    const Grammar grammar = Grammar::from_json_schema(schema);
    for (int round = 0; round < 30; ++round) {
      const std::string text = support::random_text(grammar, random, 60);
      tokens.push_back(text.substr(random.next() % text.size(), 1 + random.next() % 9));
    }
  }
  for (const char* text :
       {"\", \"", "\": ", "\xc3", "\xe2\x82", "\x82\xac", "\xac\"", "\x98\x80", "{\"", "\"}", "}}",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "                 \"", "<end>"}) {
    tokens.emplace_back(text);
  }
  tokens.emplace_back("{\"");
  return tokens;
}

std::shared_ptr<const ByteTrie> trie_of(const std::vector<std::string>& texts) {
  std::vector<std::pair<std::string_view, Token>> tokens;
  for (std::size_t index = 0; index < texts.size(); ++index) {
    if (texts[index] != "<end>") tokens.emplace_back(texts[index], static_cast<Token>(index));
  }
  return std::make_shared<const ByteTrie>(std::move(tokens));
}

std::shared_ptr<const Grammar> grammar_of(std::string_view schema) {
  return std::make_shared<const Grammar>(Grammar::from_json_schema(schema));
}

}  // namespace

TEST_CASE("a mask allows a token exactly if its bytes go on with a text of the grammar") {
  const std::vector<std::string> tokens = vocabulary();
  const auto trie = trie_of(tokens);
  const Token end = static_cast<Token>(tokens.size() - 2);
  Random random(2);
  for (const std::string& schema : support::example_schemas()) {
    CAPTURE(schema);
    const auto grammar = grammar_of(schema);
    const std::string text = support::random_text(*grammar, random, 60);
    TokenMask mask(grammar->shared_rules(), trie, std::vector<Token>{end}, tokens.size() + 5);
    GrammarStates states(grammar->rules());
    GrammarStates::State at = states.start();
    for (const char byte : text) {
      std::size_t n_allowed = 0;
      for (std::size_t token = 0; token < tokens.size() + 5; ++token) {
        GrammarStates::State next = token < tokens.size() ? at : GrammarStates::kDead;
        if (token < tokens.size()) {
          for (const char each : tokens[token])
            next = states.next(next, static_cast<unsigned char>(each));
        }
        const bool expected = token == static_cast<std::size_t>(end) ? states.may_end(at)
                                                                     : next != GrammarStates::kDead;
        n_allowed += expected ? 1 : 0;
        if (mask.is_allowed(static_cast<Token>(token)) != expected) {
          CAPTURE(token);
          REQUIRE(mask.is_allowed(static_cast<Token>(token)) == expected);
        }
      }
      REQUIRE(mask.count().first == n_allowed);
      REQUIRE(mask.push({&byte, 1}));
      at = states.next(at, static_cast<unsigned char>(byte));
    }
    REQUIRE(mask.may_end());
  }
}

TEST_CASE("logits of other tokens are -inf") {
  const std::vector<std::string> tokens = vocabulary();
  TokenMask mask(grammar_of(R"({"type": "boolean"})")->shared_rules(), trie_of(tokens), {},
                 tokens.size());
  std::vector<float> logits(tokens.size(), 1.5f);
  mask.apply(logits);
  CHECK(logits['t'] == 1.5f);
  CHECK(logits['f'] == 1.5f);
  CHECK(logits['x'] == -std::numeric_limits<float>::infinity());
  CHECK_FALSE(mask.is_allowed(-1));
  CHECK_FALSE(mask.is_allowed(1 << 30));
  CHECK_FALSE(mask.push("x"));
  CHECK(mask.push("t"));
  CHECK(mask.forced() == "rue");
}

TEST_CASE("the way to an end is known in tokens") {
  const std::vector<std::string> tokens = vocabulary();
  TokenMask mask(
      grammar_of(
          R"({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]})")
          ->shared_rules(),
      trie_of(tokens), {}, tokens.size());
  CHECK(mask.to_end().size() <= 8);
  CHECK(mask.has_room("", mask.to_end().size()));
  CHECK_FALSE(mask.has_room("", mask.to_end().size() - 1));
  CHECK_FALSE(mask.has_room("x", 100));
  REQUIRE(mask.push("{\"a\": \""));
  CHECK(mask.to_end().size() == 1);  // "\"}" is a token
  CHECK(mask.has_room("\"}", 0));
  CHECK(mask.must_end("\"}"));
}

TEST_CASE("a vocabulary that lacks bytes is led around them, or refused") {
  const std::vector<std::string> ascii = {"\"", "a", "\xc3", "\xc3\xa9", "q", "r", "ed"};
  const auto grammar = grammar_of(R"({"enum": ["red", "r\u00e9d", "ad"]})");
  CHECK_THROWS_AS(TokenMask(grammar->shared_rules(), trie_of(ascii), {}, ascii.size()),
                  FormatError);
  const std::vector<std::string> more = {"\"", "a", "\xc3", "\xc3\xa9", "q", "r", "ed", "d", "e"};
  TokenMask mask(grammar->shared_rules(), trie_of(more), {}, more.size());
  REQUIRE(mask.push("\"r"));
  CHECK(mask.is_allowed(6));
  CHECK_FALSE(mask.is_allowed(2));  // no token goes on from half a character
}
