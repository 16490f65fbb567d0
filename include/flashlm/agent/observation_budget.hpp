// SPDX-License-Identifier: Apache-2.0
/// observation_budget.hpp: cuts what a tool says to what a model can read.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

#include "flashlm/base/error.hpp"
#include "flashlm/text/chat/chat_model.hpp"
#include "flashlm/text/unicode/utf8.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::agent {

/// The beginning of `text` of at most `budget` tokens, and a note if something is left out. Broken
/// UTF-8 becomes U+FFFD. `count_tokens` counts the tokens of a text.
template <class CountTokens>
  requires std::is_invocable_r_v<std::size_t, const CountTokens&, const std::string&>
std::string cut_to_tokens(std::string_view text, std::size_t budget,
                          const CountTokens& count_tokens) {
  constexpr std::size_t kLongestToken =
      128;  // bytes; what lies beyond this many a token is not even counted
  const std::size_t whole = text.size();
  if (text.size() / kLongestToken > budget) text = text.substr(0, budget * kLongestToken);
  std::string kept = text::utf8_lossy(text);
  bool cut = text.size() < whole;
  for (std::size_t tokens = count_tokens(kept); tokens > budget; tokens = count_tokens(kept)) {
    cut = true;
    // A little less than in proportion, so that a few rounds are enough.
    std::size_t size = kept.size() * budget / tokens;
    size = size < kept.size() - kept.size() / 64 ? size : kept.size() - kept.size() / 64 - 1;
    while (size > 0 && (static_cast<unsigned char>(kept[size]) & 0xc0) == 0x80) --size;
    kept.resize(size);
    if (kept.empty()) break;
  }
  if (cut) kept += concat("\n[cut: the first ", kept.size(), " of ", whole, " bytes]");
  return kept;
}

/// The same with the tokens of a model.
std::string cut_to_tokens(std::string_view text, std::size_t budget, const text::ChatModel& model);

}  // namespace flashlm::inline FLASHLM_ABI::agent

#if !defined(FLASHLM_COMPILED)
#include "flashlm/agent/observation_budget.ipp"
#endif
