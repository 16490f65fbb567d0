// SPDX-License-Identifier: Apache-2.0
/// kept_tokens.ipp: the bodies of kept_tokens.hpp.
#pragma once

#include "flashlm/text/generation/kept_tokens.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace flashlm::inline FLASHLM_ABI::text {

namespace detail {

/// What a token spells; nothing at the end of `ids` and for a special one.
FLASHLM_INLINE std::string_view plain_bytes(std::span<const Token> ids, std::size_t index,
                                            const Tokenizer& tokenizer) {
  if (index >= ids.size() || tokenizer.is_special(ids[index])) return {};
  return tokenizer.bytes(ids[index]);
}

}  // namespace detail

FLASHLM_INLINE std::vector<Token> keep_tokens(std::span<const Token> before,
                                              std::span<const Token> prompt,
                                              const Tokenizer& tokenizer) {
  std::size_t kept = 0;  // before[:kept] and prompt[:same] spell the same text
  std::size_t same = 0;
  std::size_t i = 0;
  std::size_t j = 0;
  std::string_view old{};  // what before[:i] spells and prompt[:j] not yet, or the other way
  std::string_view fresh{};
  while (true) {
    if (old.empty() && fresh.empty()) {
      kept = i;
      same = j;
      if (i == before.size() || j == prompt.size()) break;
      if (before[i] == prompt[j]) {
        ++i;
        ++j;
        continue;
      }
    }
    std::string_view& shorter = old.empty() ? old : fresh;
    shorter = old.empty() ? detail::plain_bytes(before, i++, tokenizer)
                          : detail::plain_bytes(prompt, j++, tokenizer);
    if (shorter.empty()) break;
    const std::size_t n = std::min(old.size(), fresh.size());
    if (old.substr(0, n) != fresh.substr(0, n)) break;
    old.remove_prefix(n);
    fresh.remove_prefix(n);
  }
  std::vector<Token> result(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(kept));
  result.insert(result.end(), prompt.begin() + static_cast<std::ptrdiff_t>(same), prompt.end());
  return result;
}

}  // namespace flashlm::inline FLASHLM_ABI::text
