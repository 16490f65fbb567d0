// SPDX-License-Identifier: Apache-2.0
/// scripted_chat_model.hpp: a chat model that reads its answers from a list, for tests and examples.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/text/chat_model.hpp"
#include "flashlm/text/stop_matcher.hpp"

namespace flashlm::inline v0::text {

/// Gives one answer after the other, cut at the first stop text as a model's would be, and keeps what it was asked.
///
/// A token is a word: what stands between spaces and line ends.
class ScriptedChatModel : public ChatModel {
 public:
  /// What one call of `answer` was given.
  struct Request {
    std::vector<ChatMessage> messages;
    GenerationOptions generation;
    std::string json_schema;
  };

  explicit ScriptedChatModel(std::vector<std::string> answers, std::size_t context = 4096)
      : answers_(std::move(answers)), context_(context) {}

  /// The next answer of the list. Throws Error when there is none left.
  std::string answer(std::span<const ChatMessage> messages, const ChatOptions& options) override {
    requests_.push_back({{messages.begin(), messages.end()}, options.generation, options.json_schema});
    if (requests_.size() > answers_.size()) {
      throw Error(
          concat("[scripted_chat_model] answers: expected at most ", answers_.size(), " questions, got one more"));
    }
    StopMatcher stops(options.generation.stop);
    std::string text(stops.push(answers_[requests_.size() - 1]));
    if (!stops.stopped()) text += stops.flush();
    if (options.on_piece && !text.empty()) options.on_piece(text);
    return text;
  }

  std::size_t count_tokens(std::string_view text) const override {
    std::size_t words = 0;
    bool inside = false;
    for (const char character : text) {
      const bool blank = character == ' ' || character == '\n' || character == '\t' || character == '\r';
      if (!blank && !inside) ++words;
      inside = !blank;
    }
    return words;
  }

  std::size_t context() const override { return context_; }

  const std::vector<Request>& requests() const noexcept { return requests_; }
  std::size_t answers_left() const noexcept {
    return answers_.size() > requests_.size() ? answers_.size() - requests_.size() : 0;
  }

 private:
  std::vector<std::string> answers_;
  std::size_t context_;
  std::vector<Request> requests_;
};

}  // namespace flashlm::inline v0::text
