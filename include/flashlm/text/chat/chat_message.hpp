// SPDX-License-Identifier: Apache-2.0
/// chat_message.hpp: one message of a conversation.
#pragma once

#include <string>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// Who says what. `content` is a plain text: special tokens written out in it never become tokens.
struct ChatMessage {
  std::string
      role;  // "system", "user", "assistant", or another one that the model's template knows
  std::string content;

  friend bool operator==(const ChatMessage&, const ChatMessage&) = default;
};

}  // namespace flashlm::inline FLASHLM_ABI::text
