// SPDX-License-Identifier: Apache-2.0
/// chat_model.hpp: the seam between agents and models: a conversation in, an answer out.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "flashlm/text/chat/chat_message.hpp"
#include "flashlm/text/generation/generation.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// How a conversation is answered.
struct ChatOptions {
  GenerationOptions generation{};  // parse_special and add_special have no effect here
  std::string json_schema{};  // the answer is a JSON text that meets this schema; empty: any text
  std::function<void(std::string_view piece)>
      on_piece{};  // told each piece of the answer; may throw to stop
};

/// Something that answers conversations: a model, or a script in a test. Not thread-safe.
class ChatModel {
 public:
  virtual ~ChatModel() = default;

  /// The answer to `messages`, the oldest first, without the stop text that ended it.
  ///
  /// Throws ArgumentError for messages that the model's template refuses, ShapeError if they are
  /// longer than the context, and what `on_piece` throws.
  virtual std::string answer(std::span<const ChatMessage> messages, const ChatOptions& options) = 0;

  /// How many tokens `text` takes inside a message.
  virtual std::size_t count_tokens(std::string_view text) const = 0;

  /// How many tokens a conversation and its answer may take together.
  virtual std::size_t context() const = 0;
};

}  // namespace flashlm::inline FLASHLM_ABI::text
