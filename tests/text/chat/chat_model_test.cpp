// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/chat/chat_model.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

using flashlm::text::ChatMessage;
using flashlm::text::ChatModel;
using flashlm::text::ChatOptions;

namespace {

/// Repeats the last message.
class Echo : public ChatModel {
 public:
  std::string answer(std::span<const ChatMessage> messages, const ChatOptions& options) override {
    if (options.on_piece) options.on_piece(messages.back().content);
    return messages.back().content;
  }
  std::size_t count_tokens(std::string_view text) const override { return text.size(); }
  std::size_t context() const override { return 100; }
};

}  // namespace

TEST_CASE("a chat model of one's own takes three functions") {
  const std::unique_ptr<ChatModel> model = std::make_unique<Echo>();
  const std::vector<ChatMessage> messages = {{"user", "Hello"}};
  std::string pieces;
  CHECK(model->answer(messages, {.on_piece = [&](std::string_view piece) { pieces += piece; }}) ==
        "Hello");
  CHECK(pieces == "Hello");
  CHECK(model->count_tokens("four") == 4);
  CHECK(model->context() == 100);
}
