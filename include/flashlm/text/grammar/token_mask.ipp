// SPDX-License-Identifier: Apache-2.0
/// token_mask.ipp: the bodies of token_mask.hpp.
#pragma once

#include "flashlm/text/grammar/token_mask.hpp"

#include <algorithm>
#include <limits>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE TokenMask::TokenMask(std::shared_ptr<const GrammarRules> rules,
                                    std::shared_ptr<const ByteTrie> trie,
                                    std::span<const Token> ends, std::size_t vocab_size)
    : trie_(std::move(trie)),
      rules_(spellable(std::move(rules), *trie_)),
      ends_(ends.begin(), ends.end()),
      vocab_size_(vocab_size),
      states_(*rules_),
      state_(states_.start()) {
  std::erase_if(ends_, [&](Token token) {
    return token < 0 || static_cast<std::size_t>(token) >= vocab_size_;
  });
}

FLASHLM_INLINE bool TokenMask::is_end(Token token) const {
  return std::find(ends_.begin(), ends_.end(), token) != ends_.end();
}

FLASHLM_INLINE std::pair<std::size_t, Token> TokenMask::count() {
  const Mask& now = mask();
  return {now.count, now.first};
}

FLASHLM_INLINE bool TokenMask::is_allowed(Token token) {
  const auto index = static_cast<std::size_t>(token);
  return token >= 0 && index < vocab_size_ && (mask().words[index / 64] >> index % 64 & 1) != 0;
}

FLASHLM_INLINE void TokenMask::apply(std::span<float> logits) {
  const std::span<const std::uint64_t> words = allowed();
  for (std::size_t begin = 0; begin < logits.size(); begin += 64) {
    const std::size_t end = std::min(begin + 64, logits.size());
    const std::uint64_t word = begin / 64 < words.size() ? words[begin / 64] : 0;
    if (word == ~std::uint64_t{0}) continue;
    for (std::size_t index = begin; index < end; ++index) {
      if ((word >> (index - begin) & 1) == 0)
        logits[index] = -std::numeric_limits<float>::infinity();
    }
  }
}

FLASHLM_INLINE bool TokenMask::push(std::string_view bytes) {
  const GrammarStates::State next = after(bytes);
  if (next == GrammarStates::kDead) return false;
  state_ = next;
  return true;
}

FLASHLM_INLINE std::string TokenMask::forced() {
  std::string text;
  GrammarStates::State at = state_;
  for (int byte = states_.forced(at); byte >= 0 && text.size() < kLongestForced;
       byte = states_.forced(at)) {
    text += static_cast<char>(byte);
    at = states_.next(at, static_cast<unsigned char>(byte));
  }
  return text;
}

FLASHLM_INLINE bool TokenMask::has_room(std::string_view bytes, std::size_t room) {
  const GrammarStates::State next = after(bytes);
  if (next == GrammarStates::kDead) return false;
  // A byte is a token at worst; only near the end does it matter how many fewer tokens there are.
  return states_.to_end(next) <= room || spell(next).size() <= room;
}

FLASHLM_INLINE std::shared_ptr<const GrammarRules> TokenMask::spellable(
    std::shared_ptr<const GrammarRules> rules, const ByteTrie& trie) {
  if (rules->is_within(trie.single_bytes())) return rules;
  auto narrower = std::make_shared<GrammarRules>(*rules);
  if (narrower->close_without(trie.single_bytes())) return narrower;
  throw FormatError(
      "[token_mask] vocabulary: expected tokens for the bytes of the grammar's texts, got too few");
}

FLASHLM_INLINE std::vector<Token> TokenMask::spell(GrammarStates::State state) {
  return trie_->spell(states_.shortest(state, trie_->single_bytes()));
}

FLASHLM_INLINE GrammarStates::State TokenMask::after(std::string_view bytes) {
  GrammarStates::State at = state_;
  for (const char byte : bytes) at = states_.next(at, static_cast<unsigned char>(byte));
  return at;
}

FLASHLM_INLINE const TokenMask::Mask& TokenMask::mask() {
  const auto known = masks_.find(state_);
  if (known != masks_.end()) return known->second;
  if (masks_.size() >= kMostMasks) masks_.clear();
  if (states_.bytes() > kMostStateBytes) {
    masks_.clear();
    short_tokens_.clear();
    state_ = states_.forget_all_but(state_);
  }
  return masks_.emplace(state_, make_mask()).first->second;
}

FLASHLM_INLINE TokenMask::Mask TokenMask::make_mask() {
  Mask result;
  // How much of a long string is left matters to long tokens only, and there are few.
  const std::uint32_t kind = states_.kind(state_, kShort);
  if (short_tokens_.size() >= kMostMasks) short_tokens_.clear();
  std::vector<std::uint64_t>& short_tokens = short_tokens_[kind];
  if (short_tokens.empty()) {
    short_tokens.resize((vocab_size_ + 63) / 64);
    walk(short_tokens, false);
  }
  result.words = short_tokens;
  walk(result.words, true);
  for (const auto& [token, twin] : trie_->twins()) {
    if (has(result.words, token)) set(result.words, twin);
  }
  for (const Token end : ends_) {
    const auto index = static_cast<std::size_t>(end);
    result.words[index / 64] &= ~(std::uint64_t{1} << index % 64);
    if (may_end()) set(result.words, end);
  }
  for (std::size_t word = 0; word < result.words.size(); ++word) {
    std::uint64_t bits = result.words[word];
    if (bits != 0 && result.first < 0) {
      result.first = static_cast<Token>(word * 64);
      while ((bits >> (result.first % 64) & 1) == 0) ++result.first;
    }
    for (; bits != 0; bits &= bits - 1) ++result.count;
  }
  return result;
}

FLASHLM_INLINE bool TokenMask::has(const std::vector<std::uint64_t>& words,
                                   Token token) const noexcept {
  const auto index = static_cast<std::size_t>(token);
  return index < vocab_size_ && (words[index / 64] >> index % 64 & 1) != 0;
}

FLASHLM_INLINE void TokenMask::set(std::vector<std::uint64_t>& words, Token token) const noexcept {
  const auto index = static_cast<std::size_t>(token);
  if (index < vocab_size_) words[index / 64] |= std::uint64_t{1} << index % 64;
}

FLASHLM_INLINE void TokenMask::walk(std::vector<std::uint64_t>& words, bool long_ones) {
  const std::vector<ByteTrie::Node>& nodes = trie_->nodes();
  path_.resize(trie_->longest() + 1);
  path_[0] = state_;
  for (std::size_t at = 0; at < nodes.size();) {
    const ByteTrie::Node& node = nodes[at];
    // Of a grammar with too many places only the shortest tokens are looked at, which spell all
    // texts too.
    const bool too_deep = node.depth > 1 && states_.bytes() > kMostWalkBytes;
    if (too_deep || (long_ones ? node.reach <= kShort : node.depth > kShort)) {
      at = node.after;
      continue;
    }
    const GrammarStates::State next = states_.next(path_[node.depth - 1u], node.byte);
    if (next == GrammarStates::kDead) {
      at = node.after;
      continue;
    }
    path_[node.depth] = next;
    if (node.token >= 0 && (node.depth > kShort) == long_ones) set(words, node.token);
    ++at;
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::text
