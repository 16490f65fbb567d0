// SPDX-License-Identifier: Apache-2.0
/// flash_chat_model.hpp: a chat model that runs from flash.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "flashlm/model/session.hpp"
#include "flashlm/text/chat/chat_format.hpp"
#include "flashlm/text/chat/chat_model.hpp"
#include "flashlm/text/grammar/grammar.hpp"
#include "flashlm/text/language_model.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// Answers conversations with a packed model; what one shares with the one before is not computed
/// again, and answers that a conversation repeats stay in the tokens that the model wrote.
///
///     auto model = flashlm::FlashChatModel::open("smollm2.flash");
///     const std::vector<flashlm::ChatMessage> messages = {{"user", "Name a colour."}};
///     std::cout << model.answer(messages, {});
///
/// Special tokens written out in a message stay text. Not thread-safe.
class FlashChatModel : public ChatModel {
 public:
  /// Opens a packed folder. Throws as LanguageModel::open.
  static FlashChatModel open(const std::filesystem::path& folder,
                             LanguageModelOptions options = {});

  /// Talks in `session`, or in the model's own.
  FlashChatModel(LanguageModel lm, ChatFormat format,
                 std::shared_ptr<model::Session> session = nullptr);

  /// The answer, pulled piece by piece. Throws FormatError if the model's chat template is no
  /// concatenation, ArgumentError for messages that it refuses, ShapeError if they are longer than
  /// the context.
  Generation stream(std::span<const ChatMessage> messages, GenerationOptions options = {});

  /// Throws also FormatError for a json_schema with a keyword that Grammar does not know.
  FLASHLM_INLINE std::string answer(std::span<const ChatMessage> messages,
                                    const ChatOptions& options) override;

  FLASHLM_INLINE std::size_t count_tokens(std::string_view text) const override;
  FLASHLM_INLINE std::size_t context() const override;

  const LanguageModel& language_model() const noexcept { return lm_; }
  const ChatFormat& format() const noexcept { return format_; }

 private:
  /// The grammar of a schema; an agent asks with few schemas many times.
  std::shared_ptr<const Grammar> grammar(const std::string& schema);

  LanguageModel lm_;
  ChatFormat format_;
  std::shared_ptr<model::Session> session_;  // null: the model's own
  std::map<std::string, std::shared_ptr<const Grammar>, std::less<>> grammars_;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/chat/flash_chat_model.ipp"
#endif
