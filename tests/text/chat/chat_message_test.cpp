// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/chat/chat_message.hpp"

#include "support/catch.hpp"

using flashlm::text::ChatMessage;

TEST_CASE("messages are equal when role and content are") {
  const ChatMessage message{.role = "user", .content = "Hello"};
  CHECK(message == ChatMessage{"user", "Hello"});
  CHECK_FALSE(message == ChatMessage{"assistant", "Hello"});
  CHECK_FALSE(message == ChatMessage{"user", "hello"});
}
