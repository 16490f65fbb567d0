// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/tokenizer/byte_trie.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using flashlm::Token;
using flashlm::text::ByteTrie;

namespace {

ByteTrie trie_of(const std::vector<std::string_view>& texts) {
  std::vector<std::pair<std::string_view, Token>> tokens;
  for (std::size_t index = 0; index < texts.size(); ++index)
    tokens.emplace_back(texts[index], static_cast<Token>(index));
  return ByteTrie(std::move(tokens));
}

}  // namespace

TEST_CASE("a walk over the trie meets every token with its bytes") {
  const std::vector<std::string_view> texts = {"b", "abc", "a", "\xff\x80", "ab", "bad", "abd", ""};
  const ByteTrie trie = trie_of(texts);
  std::string path;
  std::size_t n_tokens = 0;
  for (const ByteTrie::Node& node : trie.nodes()) {
    path.resize(node.depth - 1u);
    path += static_cast<char>(node.byte);
    CHECK(node.reach == (node.byte == 'a' && node.depth == 1 ? 3 : node.reach));
    if (node.token < 0) continue;
    ++n_tokens;
    CHECK(texts[static_cast<std::size_t>(node.token)] == path);
  }
  CHECK(n_tokens == texts.size() - 1);
  CHECK(trie.longest() == 3);
  CHECK(trie.single_bytes().count() == 2);
  CHECK(trie.single_bytes().test('a'));
}

TEST_CASE("the prefixes of a text are found, the shortest first") {
  const ByteTrie trie = trie_of({"b", "abc", "a", "ab", "c"});
  std::vector<std::pair<std::size_t, Token>> found;
  trie.prefixes("abx", [&](std::size_t length, Token token) { found.emplace_back(length, token); });
  CHECK(found == std::vector<std::pair<std::size_t, Token>>{{1, 2}, {2, 3}});
}

TEST_CASE("a text is spelled with the fewest tokens") {
  const ByteTrie trie = trie_of({"a", "b", "ab", "ba", "bab"});
  CHECK(trie.spell("abab") == std::vector<Token>{2, 2});
  CHECK(trie.spell("abbab") == std::vector<Token>{2, 4});
  CHECK(trie.spell("abx").empty());
  CHECK(trie.spell("").empty());
  CHECK(ByteTrie().spell("a").empty());
}

TEST_CASE("tokens with the same bytes are twins") {
  const ByteTrie trie = trie_of({"x", "ab", "x", "x"});
  CHECK(trie.twins() == std::vector<std::pair<Token, Token>>{{0, 2}, {0, 3}});
}
