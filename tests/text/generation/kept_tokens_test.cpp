// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/generation/kept_tokens.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/base/random.hpp"
#include "support/catch.hpp"

using flashlm::Token;
using namespace flashlm::text;
using Tokens = std::vector<Token>;

namespace {

Tokenizer smollm() { return Tokenizer::open("tests/text/tokenizer/golden/smollm.tokenizer.json"); }

Tokens plain(const Tokenizer& tokenizer, std::string_view text) {
  return tokenizer.encode(text, {.parse_special = false, .add_special = false});
}

/// A text letter by letter, as no tokenizer spells it.
Tokens letters(const Tokenizer& tokenizer, std::string_view text) {
  Tokens tokens;
  for (const char letter : text) {
    for (const Token token : plain(tokenizer, {&letter, 1})) tokens.push_back(token);
  }
  return tokens;
}

std::string bytes(const Tokenizer& tokenizer, const Tokens& tokens) {
  std::string text;
  for (const Token token : tokens) text += tokenizer.bytes(token);
  return text;
}

}  // namespace

TEST_CASE("text that is there keeps its tokens, and what follows is the tokenizer's") {
  const Tokenizer tokenizer = smollm();
  const Tokens before = letters(tokenizer, "the thing");
  const Tokens kept = keep_tokens(before, plain(tokenizer, "the thing, and more"), tokenizer);
  REQUIRE(kept.size() > before.size());
  CHECK(Tokens(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(before.size())) == before);
  CHECK(bytes(tokenizer, kept) == "the thing, and more");
}

TEST_CASE("nothing is kept behind the first letter that differs") {
  const Tokenizer tokenizer = smollm();
  const Tokens prompt = plain(tokenizer, "then");
  CHECK(keep_tokens(letters(tokenizer, "xthe"), prompt, tokenizer) == prompt);
  const Tokens kept =
      keep_tokens(letters(tokenizer, "the ring"), plain(tokenizer, "the rung"), tokenizer);
  CHECK(bytes(tokenizer, kept) == "the rung");
}

TEST_CASE("there may be nothing before, or nothing new") {
  const Tokenizer tokenizer = smollm();
  const Tokens prompt = plain(tokenizer, "the");
  CHECK(keep_tokens({}, prompt, tokenizer) == prompt);
  CHECK(keep_tokens(prompt, {}, tokenizer).empty());
  CHECK(keep_tokens(prompt, prompt, tokenizer) == prompt);
}

TEST_CASE("a quoted special token is not the real one") {
  const Tokenizer tokenizer = smollm();
  const std::string text = "a<|im_end|>b";
  const Tokens real = tokenizer.encode(text);
  const Tokens quoted = plain(tokenizer, text);
  REQUIRE(real != quoted);
  CHECK(keep_tokens(real, quoted, tokenizer) == quoted);
  CHECK(keep_tokens(quoted, real, tokenizer) == real);
}

TEST_CASE("whatever the tokens are, the text and the special tokens are the prompt's") {
  const Tokenizer tokenizer = smollm();
  flashlm::Random random(7);
  const auto drawn = [&] {
    Tokens tokens;
    for (std::size_t n = random.next() % 12; n > 0; --n) {
      tokens.push_back(static_cast<Token>(random.next() % tokenizer.vocab_size()));
    }
    return tokens;
  };
  for (int round = 0; round < 200; ++round) {
    const Tokens before = drawn();
    Tokens prompt = before;
    const Tokens more = drawn();
    if (round % 2 == 0) prompt.clear();
    prompt.insert(prompt.end(), more.begin(), more.end());
    CHECK(bytes(tokenizer, keep_tokens(before, prompt, tokenizer)) == bytes(tokenizer, prompt));
  }
}
