// SPDX-License-Identifier: Apache-2.0
/// flash_chat_model.ipp: the bodies of flash_chat_model.hpp.
#pragma once

#include "flashlm/text/chat/flash_chat_model.hpp"

#include <utility>
#include <vector>

#include "flashlm/base/token.hpp"
#include "flashlm/model/engine.hpp"
#include "flashlm/text/generation/kept_tokens.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE FlashChatModel FlashChatModel::open(const std::filesystem::path& folder,
                                                   LanguageModelOptions options) {
  ChatFormat format = ChatFormat::open(folder);
  return {LanguageModel::open(folder, std::move(options)), std::move(format)};
}

FLASHLM_INLINE FlashChatModel::FlashChatModel(LanguageModel lm, ChatFormat format,
                                              std::shared_ptr<model::Session> session)
    : lm_(std::move(lm)), format_(std::move(format)), session_(std::move(session)) {}

FLASHLM_INLINE Generation FlashChatModel::stream(std::span<const ChatMessage> messages,
                                                 GenerationOptions options) {
  const std::vector<Token> before = session_ ? session_->copy_tokens() : lm_.copy_tokens();
  std::vector<Token> prompt =
      keep_tokens(before, format_.encode(messages, lm_.tokenizer()), lm_.tokenizer());
  if (session_) return lm_.stream(session_, std::move(prompt), std::move(options));
  return lm_.stream(std::move(prompt), std::move(options));
}

FLASHLM_INLINE std::string FlashChatModel::answer(std::span<const ChatMessage> messages,
                                                  const ChatOptions& options) {
  GenerationOptions settings = options.generation;
  if (!options.json_schema.empty()) settings.grammar = grammar(options.json_schema);
  Generation generation = stream(messages, std::move(settings));
  std::string text;
  for (const std::string_view piece : generation) {
    text += piece;
    if (options.on_piece) options.on_piece(piece);
  }
  return text;
}

FLASHLM_INLINE std::size_t FlashChatModel::count_tokens(std::string_view text) const {
  return lm_.tokenizer().encode(text, {.parse_special = false, .add_special = false}).size();
}

FLASHLM_INLINE std::size_t FlashChatModel::context() const { return lm_.engine().context(); }

FLASHLM_INLINE std::shared_ptr<const Grammar> FlashChatModel::grammar(const std::string& schema) {
  constexpr std::size_t kMostGrammars = 8;
  const auto found = grammars_.find(schema);
  if (found != grammars_.end()) return found->second;
  auto made = std::make_shared<const Grammar>(Grammar::from_json_schema(std::string_view(schema)));
  if (grammars_.size() == kMostGrammars) grammars_.clear();
  return grammars_[schema] = std::move(made);
}

}  // namespace flashlm::inline FLASHLM_ABI::text
