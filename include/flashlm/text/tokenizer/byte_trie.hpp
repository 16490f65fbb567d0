// SPDX-License-Identifier: Apache-2.0
/// byte_trie.hpp: the tokens of a vocabulary by their bytes, for walking all of them at once.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/base/token.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// A tree of bytes, written down from the root in depth-first order: a token's bytes are the path
/// to its node. A walk is one pass over an array, and a subtree that does not matter is one jump.
/// Immutable, thread-safe.
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

  /// `tokens`: bytes and id. Of tokens with the same bytes the lowest id stays; `twins` gives the
  /// others.
  explicit ByteTrie(std::vector<std::pair<std::string_view, Token>> tokens);

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
  std::vector<Token> spell(std::string_view text) const;

 private:
  /// Ends the nodes of a path below the first `kept`.
  void close(std::vector<std::size_t>& path, std::size_t kept);

  std::vector<Node> nodes_;
  std::vector<std::pair<Token, Token>> twins_;
  std::size_t longest_ = 0;
  std::bitset<256> single_bytes_;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/tokenizer/byte_trie.ipp"
#endif
