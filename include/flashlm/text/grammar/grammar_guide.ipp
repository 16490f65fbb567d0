// SPDX-License-Identifier: Apache-2.0
/// grammar_guide.ipp: the bodies of grammar_guide.hpp.
#pragma once

#include "flashlm/text/grammar/grammar_guide.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "flashlm/text/unicode/utf8.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE GrammarGuide::GrammarGuide(std::shared_ptr<const GrammarRules> rules,
                                          std::shared_ptr<const Tokenizer> tokenizer,
                                          std::span<const Token> ends, std::size_t vocab_size)
    : tokenizer_(std::move(tokenizer)),
      mask_(std::move(rules), tokenizer_->trie(), ends, vocab_size) {}

FLASHLM_INLINE std::vector<Token> GrammarGuide::forced(std::size_t room) {
  if (is_cut_) return std::exchange(rest_, {});
  std::vector<Token> tokens = spelled(mask_.forced());
  std::string bytes = joined(tokens);
  if (tokens.size() > room || !mask_.has_room(bytes, room - tokens.size())) return end_now();
  if (tokens.empty() && !mask_.may_end()) {
    const auto [count, token] = mask_.count();
    if (count == 1 && mask_.has_room(tokenizer_->bytes(token), room - 1)) tokens = {token};
    bytes = joined(tokens);
  }
  mask_.push(bytes);
  return tokens;
}

FLASHLM_INLINE std::optional<Token> GrammarGuide::choose(Sampler& sampler, std::span<float> logits,
                                                         std::span<const Token> history,
                                                         std::size_t room) {
  mask_.apply(logits);
  const Token token = sampler.sample(logits, history);
  if (mask_.is_end(token)) return token;
  const std::string_view bytes = tokenizer_->bytes(token);
  if (room == 0 || !mask_.has_room(bytes, room - 1)) {
    rest_ = end_now();
    return std::nullopt;
  }
  mask_.push(bytes);
  return token;
}

FLASHLM_INLINE std::vector<Token> GrammarGuide::end_now() {
  is_cut_ = true;
  return mask_.to_end();
}

FLASHLM_INLINE std::string GrammarGuide::joined(std::span<const Token> tokens) const {
  std::string bytes;
  for (const Token token : tokens) bytes += tokenizer_->bytes(token);
  return bytes;
}

FLASHLM_INLINE std::vector<Token> GrammarGuide::spelled(const std::string& bytes) {
  if (bytes.empty() || !is_utf8(bytes)) return {};
  std::vector<Token> tokens =
      tokenizer_->encode(bytes, {.parse_special = false, .add_special = false});
  if (joined(tokens) != bytes) return {};
  if (!std::all_of(tokens.begin(), tokens.end(),
                   [&](Token token) { return tokenizer_->has_row(token); }))
    return {};
  if (!mask_.must_end(bytes)) tokens.pop_back();
  return tokens;
}

}  // namespace flashlm::inline FLASHLM_ABI::text
