// SPDX-License-Identifier: Apache-2.0
/// added_tokens.ipp: the bodies of added_tokens.hpp.
#pragma once

#include "flashlm/text/tokenizer/added_tokens.hpp"

#include <iterator>

#include "flashlm/text/unicode/unicode.hpp"
#include "flashlm/text/unicode/utf8.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE TrustedBytes::TrustedBytes(bool everything) {
  if (everything) ranges_.emplace_back(0, ~std::size_t{0});
}

FLASHLM_INLINE void TrustedBytes::add(std::size_t begin, std::size_t end) {
  if (begin == end) return;
  if (!ranges_.empty() && ranges_.back().second == begin) {
    ranges_.back().second = end;
  } else {
    ranges_.emplace_back(begin, end);
  }
}

FLASHLM_INLINE std::size_t TrustedBytes::end(std::size_t place) const noexcept {
  const auto after = next(place);
  return after == ranges_.begin() ? place : std::max(place, std::prev(after)->second);
}

FLASHLM_INLINE std::size_t TrustedBytes::next_begin(std::size_t place) const noexcept {
  const auto after = next(place);
  return after == ranges_.end() ? ~std::size_t{0} : after->first;
}

FLASHLM_INLINE TrustedBytes::Ranges::const_iterator TrustedBytes::next(
    std::size_t place) const noexcept {
  return std::upper_bound(ranges_.begin(), ranges_.end(), place,
                          [](std::size_t value, const auto& range) { return value < range.first; });
}

FLASHLM_ONCE AddedTokens::AddedTokens(std::vector<AddedToken> tokens,
                                      const std::function<std::string(std::string_view)>& normalize)
    : tokens_(std::move(tokens)) {
  for (std::size_t index = 0; index < tokens_.size(); ++index) {
    const AddedToken& token = tokens_[index];
    if (token.normalized) {
      second_.add(normalize ? normalize(token.content) : token.content,
                  static_cast<std::int32_t>(index));
    } else {
      first_.add(token.content, static_cast<std::int32_t>(index));
    }
  }
}

FLASHLM_INLINE std::int32_t AddedTokens::Trie::child(std::int32_t node, char byte) const noexcept {
  std::int32_t found = nodes[static_cast<std::size_t>(node)].first_child;
  while (found >= 0 && nodes[static_cast<std::size_t>(found)].byte != byte) {
    found = nodes[static_cast<std::size_t>(found)].next_sibling;
  }
  return found;
}

FLASHLM_INLINE void AddedTokens::Trie::add(std::string_view text, std::int32_t value) {
  std::int32_t node = 0;
  for (const char byte : text) {
    std::int32_t next = child(node, byte);
    if (next < 0) {
      next = static_cast<std::int32_t>(nodes.size());
      nodes.push_back({-1, nodes[static_cast<std::size_t>(node)].first_child, -1, byte});
      nodes[static_cast<std::size_t>(node)].first_child = next;
    }
    node = next;
  }
  Node& end = nodes[static_cast<std::size_t>(node)];
  if (!text.empty() && end.value < 0) end.value = value;
}

FLASHLM_INLINE std::pair<std::int32_t, std::size_t> AddedTokens::Trie::longest(
    std::string_view text) const noexcept {
  std::pair<std::int32_t, std::size_t> best{-1, 0};
  std::int32_t node = 0;
  for (std::size_t length = 0; length < text.size(); ++length) {
    node = child(node, text[length]);
    if (node < 0) break;
    const std::int32_t value = nodes[static_cast<std::size_t>(node)].value;
    if (value >= 0) best = {value, length + 1};
  }
  return best;
}

FLASHLM_INLINE bool AddedTokens::begins_with_word(std::string_view text) noexcept {
  return !text.empty() && is_word(utf8_step(text).code);
}

FLASHLM_INLINE bool AddedTokens::ends_with_word(std::string_view text) noexcept {
  return !text.empty() && is_word(utf8_step(text.substr(last_character(text))).code);
}

FLASHLM_INLINE std::size_t AddedTokens::last_character(std::string_view text) noexcept {
  std::size_t begin = text.size() - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) --begin;
  return begin;
}

FLASHLM_INLINE std::size_t AddedTokens::spaces_at_begin(std::string_view text) noexcept {
  std::size_t length = 0;
  while (length < text.size()) {
    const Utf8Step step = utf8_step(text.substr(length));
    if (!is_space(step.code)) break;
    length += step.length;
  }
  return length;
}

FLASHLM_INLINE std::size_t AddedTokens::begin_of_last_spaces(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t last = last_character(text);
    if (!is_space(utf8_step(text.substr(last)).code)) break;
    text = text.substr(0, last);
  }
  return text.size();
}

FLASHLM_INLINE bool AddedTokens::is_special(std::int32_t index) const noexcept {
  return index >= 0 && tokens_[static_cast<std::size_t>(index)].special;
}

}  // namespace flashlm::inline FLASHLM_ABI::text
