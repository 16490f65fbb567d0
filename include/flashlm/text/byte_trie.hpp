// SPDX-License-Identifier: Apache-2.0
/// byte_trie.hpp: the tokens of a vocabulary by their bytes, for walking all of them at once.
#pragma once

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/base/token.hpp"

namespace flashlm::inline v0::text {

/// A tree of bytes, written down from the root in depth-first order: a token's bytes are the path to its node. A walk
/// is one pass over an array, and a subtree that does not matter is one jump. Immutable, thread-safe.
class ByteTrie {
 public:
  struct Node {
    std::uint32_t after = 0;  // the first node that is not below this one
    Token token = -1;         // -1: no token ends here
    std::uint16_t depth = 0;  // bytes up to and with this one, 1 or more
    std::uint8_t byte = 0;
    std::uint8_t reach = 0;  // the largest depth below, or 255 if it is more
  };

  /// Tokens of other lengths are left out: none is empty, and none of use is longer.
  static constexpr std::size_t kLongest = 1024;

  ByteTrie() = default;

  /// `tokens`: bytes and id. Of tokens with the same bytes the lowest id stays; `twins` gives the others.
  explicit ByteTrie(std::vector<std::pair<std::string_view, Token>> tokens) {
    std::erase_if(tokens, [](const auto& each) { return each.first.empty() || each.first.size() > kLongest; });
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
        nodes_.push_back({0, -1, static_cast<std::uint16_t>(at + 1), static_cast<std::uint8_t>(bytes[at]), 0});
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

  const std::vector<Node>& nodes() const noexcept { return nodes_; }
  /// Pairs of tokens with the same bytes: the one in the trie, and another.
  const std::vector<std::pair<Token, Token>>& twins() const noexcept { return twins_; }
  /// Bytes of the longest token.
  std::size_t longest() const noexcept { return longest_; }
  /// The bytes that are a token by themselves.
  const std::bitset<256>& single_bytes() const noexcept { return single_bytes_; }

  /// Calls visit(length, token) for each token that `text` begins with, the shortest first.
  template <class Visit>
  void prefixes(std::string_view text, Visit&& visit) const {
    std::size_t node = 0;
    std::size_t stop = nodes_.size();
    for (std::size_t at = 0; at < text.size(); ++at) {
      const auto byte = static_cast<std::uint8_t>(text[at]);
      while (node < stop && nodes_[node].byte != byte) node = nodes_[node].after;
      if (node >= stop) return;
      if (nodes_[node].token >= 0) visit(at + 1, nodes_[node].token);
      stop = nodes_[node].after;
      ++node;
    }
  }

  /// The fewest tokens that spell `text`. Empty if there are none, or no text.
  std::vector<Token> spell(std::string_view text) const {
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
    for (std::size_t at = 0; at < text.size(); at += best[at].length) tokens.push_back(best[at].token);
    return tokens;
  }

 private:
  /// Ends the nodes of a path below the first `kept`.
  void close(std::vector<std::size_t>& path, std::size_t kept) {
    for (; path.size() > kept; path.pop_back()) {
      Node& node = nodes_[path.back()];
      node.after = static_cast<std::uint32_t>(nodes_.size());
      node.reach = std::max(node.reach, static_cast<std::uint8_t>(std::min<std::size_t>(path.size(), 255)));
      if (path.size() < 2) continue;
      Node& parent = nodes_[path[path.size() - 2]];
      parent.reach = std::max(parent.reach, node.reach);
    }
  }

  std::vector<Node> nodes_;
  std::vector<std::pair<Token, Token>> twins_;
  std::size_t longest_ = 0;
  std::bitset<256> single_bytes_;
};

}  // namespace flashlm::inline v0::text
