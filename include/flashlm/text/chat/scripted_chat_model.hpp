// SPDX-License-Identifier: Apache-2.0
/// scripted_chat_model.hpp: a chat model that reads its answers from a list, for tests and
/// examples.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/text/chat/chat_model.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// Gives one answer after the other, cut at the first stop text as a model's would be, and keeps
/// what it was asked.
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

  explicit ScriptedChatModel(std::vector<std::string> answers, std::size_t context = 4096);

  /// The next answer of the list. Throws Error when there is none left.
  FLASHLM_INLINE std::string answer(std::span<const ChatMessage> messages,
                                    const ChatOptions& options) override;

  FLASHLM_INLINE std::size_t count_tokens(std::string_view text) const override;

  std::size_t context() const override { return context_; }

  const std::vector<Request>& requests() const noexcept { return requests_; }
  std::size_t answers_left() const noexcept;

 private:
  std::vector<std::string> answers_;
  std::size_t context_;
  std::vector<Request> requests_;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/chat/scripted_chat_model.ipp"
#endif
