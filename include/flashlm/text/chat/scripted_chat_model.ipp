// SPDX-License-Identifier: Apache-2.0
/// scripted_chat_model.ipp: the bodies of scripted_chat_model.hpp.
#pragma once

#include "flashlm/text/chat/scripted_chat_model.hpp"

#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/text/generation/stop_matcher.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE ScriptedChatModel::ScriptedChatModel(std::vector<std::string> answers,
                                                    std::size_t context)
    : answers_(std::move(answers)), context_(context) {}

FLASHLM_INLINE std::string ScriptedChatModel::answer(std::span<const ChatMessage> messages,
                                                     const ChatOptions& options) {
  requests_.push_back(
      {{messages.begin(), messages.end()}, options.generation, options.json_schema});
  if (requests_.size() > answers_.size()) {
    throw Error(concat("[scripted_chat_model] answers: expected at most ", answers_.size(),
                       " questions, got one more"));
  }
  StopMatcher stops(options.generation.stop);
  std::string text(stops.push(answers_[requests_.size() - 1]));
  if (!stops.stopped()) text += stops.flush();
  if (options.on_piece && !text.empty()) options.on_piece(text);
  return text;
}

FLASHLM_INLINE std::size_t ScriptedChatModel::count_tokens(std::string_view text) const {
  std::size_t words = 0;
  bool inside = false;
  for (const char character : text) {
    const bool blank =
        character == ' ' || character == '\n' || character == '\t' || character == '\r';
    if (!blank && !inside) ++words;
    inside = !blank;
  }
  return words;
}

FLASHLM_INLINE std::size_t ScriptedChatModel::answers_left() const noexcept {
  return answers_.size() > requests_.size() ? answers_.size() - requests_.size() : 0;
}

}  // namespace flashlm::inline FLASHLM_ABI::text
