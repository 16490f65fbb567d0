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
#include <utility>
#include <vector>

#include "flashlm/base/token.hpp"
#include "flashlm/model/session.hpp"
#include "flashlm/text/chat_format.hpp"
#include "flashlm/text/chat_model.hpp"
#include "flashlm/text/grammar.hpp"
#include "flashlm/text/language_model.hpp"

namespace flashlm::inline v0::text {

/// Answers conversations with a packed model; what one shares with the one before is not computed again.
///
///     auto model = flashlm::FlashChatModel::open("smollm2.flash");
///     const std::vector<flashlm::ChatMessage> messages = {{"user", "Name a colour."}};
///     std::cout << model.answer(messages, {});
///
/// Special tokens written out in a message stay text. Not thread-safe.
class FlashChatModel : public ChatModel {
 public:
  /// Opens a packed folder. Throws as LanguageModel::open.
  static FlashChatModel open(const std::filesystem::path& folder, LanguageModelOptions options = {}) {
    ChatFormat format = ChatFormat::open(folder);
    return {LanguageModel::open(folder, std::move(options)), std::move(format)};
  }

  /// Talks in `session`, or in the model's own.
  FlashChatModel(LanguageModel lm, ChatFormat format, std::shared_ptr<model::Session> session = nullptr)
      : lm_(std::move(lm)), format_(std::move(format)), session_(std::move(session)) {}

  /// The answer, pulled piece by piece. Throws FormatError if the model's chat template is no concatenation,
  /// ArgumentError for messages that it refuses, ShapeError if they are longer than the context.
  Generation stream(std::span<const ChatMessage> messages, GenerationOptions options = {}) {
    std::vector<Token> prompt = format_.encode(messages, lm_.tokenizer());
    if (session_) return lm_.stream(session_, std::move(prompt), std::move(options));
    return lm_.stream(std::move(prompt), std::move(options));
  }

  /// Throws also FormatError for a json_schema with a keyword that Grammar does not know.
  std::string answer(std::span<const ChatMessage> messages, const ChatOptions& options) override {
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

  std::size_t count_tokens(std::string_view text) const override {
    return lm_.tokenizer().encode(text, {.parse_special = false, .add_special = false}).size();
  }
  std::size_t context() const override { return lm_.engine().context(); }

  const LanguageModel& language_model() const noexcept { return lm_; }
  const ChatFormat& format() const noexcept { return format_; }

 private:
  /// The grammar of a schema; an agent asks with few schemas many times.
  std::shared_ptr<const Grammar> grammar(const std::string& schema) {
    constexpr std::size_t kMostGrammars = 8;
    const auto found = grammars_.find(schema);
    if (found != grammars_.end()) return found->second;
    auto made = std::make_shared<const Grammar>(Grammar::from_json_schema(std::string_view(schema)));
    if (grammars_.size() == kMostGrammars) grammars_.clear();
    return grammars_[schema] = std::move(made);
  }

  LanguageModel lm_;
  ChatFormat format_;
  std::shared_ptr<model::Session> session_;  // null: the model's own
  std::map<std::string, std::shared_ptr<const Grammar>, std::less<>> grammars_;
};

}  // namespace flashlm::inline v0::text
