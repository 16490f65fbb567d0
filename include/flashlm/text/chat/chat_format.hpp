// SPDX-License-Identifier: Apache-2.0
/// chat_format.hpp: a conversation as the tokens that a chat model was trained on, without Jinja.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/base/token.hpp"
#include "flashlm/storage/format/json.hpp"
#include "flashlm/text/chat/chat_message.hpp"
#include "flashlm/text/tokenizer/tokenizer.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// What a model's chat template writes around each message: chat_format.json, which the packer
/// derives from the template and proves on many conversations (docs/format.md).
///
/// What the format writes may hold special tokens, what the messages hold never becomes one.
/// Thread-safe.
class ChatFormat {
 public:
  static constexpr const char* kFileName = "chat_format.json";

  /// The format of a packed folder. A folder without one gives a format whose use is a FormatError
  /// that says why. Throws IoError, and FormatError for a broken file.
  static ChatFormat open(const std::filesystem::path& folder);

  /// The same from the text of a chat_format.json; `file` names it in messages.
  static ChatFormat parse(std::string_view json, const std::string& file = kFileName);

  /// Whether the model can be talked to; if not, `reason` says why.
  bool usable() const noexcept { return reason_.empty(); }
  const std::string& reason() const noexcept { return reason_; }

  /// Whether messages of this role can be written.
  bool has_role(std::string_view role) const noexcept { return find(role) != nullptr; }

  /// The parts of the prompt: what the format writes is trusted, what the messages hold is not.
  /// Ends with the beginning of an answer. The parts are views of the format and of the messages.
  ///
  /// Throws FormatError if the format is not usable, ArgumentError for messages that the model's
  /// template refuses.
  std::vector<TextPart> parts(std::span<const ChatMessage> messages) const;
  std::vector<TextPart> parts(std::vector<ChatMessage>&&) const =
      delete;  // the parts would outlive the messages

  /// The prompt as one text, for people to read: the special tokens in it may be anybody's.
  std::string text(std::span<const ChatMessage> messages) const;

  /// The prompt as tokens. Throws as `parts`.
  std::vector<Token> encode(std::span<const ChatMessage> messages,
                            const Tokenizer& tokenizer) const;

 private:
  struct Role {
    std::string name;
    std::string first;  // before the content of the first message
    std::string later;  // before that of another one
    std::string suffix;
    bool trim = false;               // without the whitespace around the content
    std::vector<std::string> after;  // the roles it may follow; "" is the beginning
  };

  ChatFormat(std::string reason, std::string file)
      : reason_(std::move(reason)), file_(std::move(file)) {}

  void read_role(const storage::JsonField& entry);

  const Role* find(std::string_view name) const noexcept;

  const Role& allowed(std::string_view name, std::string_view previous) const;

  std::string known() const;

  /// Without what Python's str.strip() takes away, as the template did it.
  static std::string_view trimmed(std::string_view text) noexcept;

  std::string reason_;  // why there is no format; empty where there is one
  std::string file_;
  std::string answer_;
  std::vector<Role> roles_;
  std::map<std::string, std::string, std::less<>>
      missing_;  // a role that the format lacks, and why
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/chat/chat_format.ipp"
#endif
