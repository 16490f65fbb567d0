// SPDX-License-Identifier: Apache-2.0
/// byte_trie.ipp: the bodies of byte_trie.hpp.
#pragma once

#include "flashlm/text/tokenizer/byte_trie.hpp"

#include <algorithm>

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_ONCE ByteTrie::ByteTrie(std::vector<std::pair<std::string_view, Token>> tokens) {
  std::erase_if(
      tokens, [](const auto& each) { return each.first.empty() || each.first.size() > kLongest; });
  std::sort(tokens.begin(), tokens.end());
  std::vector<std::size_t> path;  // the nodes of the last token
  std::string_view last;
  for (const auto& [bytes, token] : tokens) {
    const auto differ = std::mismatch(last.begin(), last.end(), bytes.begin(), bytes.end());
    const auto shared = static_cast<std::size_t>(differ.second - bytes.begin());
    if (shared == bytes.size() && last.size() == bytes.size()) {
      twins_.emplace_back(nodes_[path.back()].token, token);
      continue;
    }
    close(path, shared);
    for (std::size_t at = shared; at < bytes.size(); ++at) {
      path.push_back(nodes_.size());
      nodes_.push_back(
          {0, -1, static_cast<std::uint16_t>(at + 1), static_cast<std::uint8_t>(bytes[at]), 0});
    }
    nodes_.back().token = token;
    longest_ = std::max(longest_, bytes.size());
    last = bytes;
  }
  close(path, 0);
  for (std::size_t node = 0; node < nodes_.size(); node = nodes_[node].after) {
    single_bytes_.set(nodes_[node].byte, nodes_[node].token >= 0);
  }
}

FLASHLM_INLINE std::vector<Token> ByteTrie::spell(std::string_view text) const {
  constexpr std::size_t kNever = ~std::size_t{0};
  struct Best {
    std::size_t n_tokens = kNever;
    std::size_t length = 0;
    Token token = -1;
  };
  std::vector<Best> best(text.size() + 1);  // by where the rest begins
  best[text.size()].n_tokens = 0;
  for (std::size_t at = text.size(); at-- > 0;) {
    prefixes(text.substr(at), [&](std::size_t length, Token token) {
      const std::size_t rest = best[at + length].n_tokens;
      if (rest != kNever && rest + 1 <= best[at].n_tokens) best[at] = {rest + 1, length, token};
    });
  }
  std::vector<Token> tokens;
  if (best[0].n_tokens == kNever) return tokens;
  for (std::size_t at = 0; at < text.size(); at += best[at].length)
    tokens.push_back(best[at].token);
  return tokens;
}

FLASHLM_INLINE void ByteTrie::close(std::vector<std::size_t>& path, std::size_t kept) {
  for (; path.size() > kept; path.pop_back()) {
    Node& node = nodes_[path.back()];
    node.after = static_cast<std::uint32_t>(nodes_.size());
    node.reach =
        std::max(node.reach, static_cast<std::uint8_t>(std::min<std::size_t>(path.size(), 255)));
    if (path.size() < 2) continue;
    Node& parent = nodes_[path[path.size() - 2]];
    parent.reach = std::max(parent.reach, node.reach);
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::text
