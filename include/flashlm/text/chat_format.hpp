// SPDX-License-Identifier: Apache-2.0
/// chat_format.hpp: a conversation as the tokens that a chat model was trained on, without Jinja.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/storage/file.hpp"
#include "flashlm/storage/json.hpp"
#include "flashlm/text/chat_message.hpp"
#include "flashlm/text/tokenizer.hpp"
#include "flashlm/text/unicode.hpp"
#include "flashlm/text/utf8.hpp"

namespace flashlm::inline v0::text {

/// What a model's chat template writes around each message: chat_format.json, which the packer derives from the
/// template and proves on many conversations (docs/format.md).
///
/// What the format writes may hold special tokens, what the messages hold never becomes one. Thread-safe.
class ChatFormat {
 public:
  static constexpr const char* kFileName = "chat_format.json";

  /// The format of a packed folder. A folder without one gives a format whose use is a FormatError that says why.
  /// Throws IoError, and FormatError for a broken file.
  static ChatFormat open(const std::filesystem::path& folder) {
    const std::filesystem::path path = folder / kFileName;
    if (std::filesystem::exists(path)) return parse(storage::read_text(path), path.string());
    return ChatFormat(
        "the folder has no chat_format.json: the model is no chat model, or was packed by an older "
        "version and must be packed again",
        path.string());
  }

  /// The same from the text of a chat_format.json; `file` names it in messages.
  static ChatFormat parse(std::string_view json, const std::string& file = kFileName) {
    const nlohmann::json document = storage::parse_json(json, "chat_format", file);
    const storage::JsonField fields(document, "chat_format", file);
    fields["version"].count(1, 1);
    ChatFormat format(fields["reason"].string(""), file);
    if (fields.has("reason")) {
      fields.only({"version", "reason"});
      fields["reason"].word();
      return format;
    }
    fields.only({"version", "answer", "roles", "missing"});
    format.answer_ = fields["answer"].string();
    fields["roles"].elements([&](const storage::JsonField& entry) { format.read_role(entry); });
    if (format.roles_.empty()) fields["roles"].refuse("expected 1 role or more, got none");
    fields["missing"].members(
        [&](const std::string& role, const storage::JsonField& reason) { format.missing_[role] = reason.string(); });
    return format;
  }

  /// Whether the model can be talked to; if not, `reason` says why.
  bool usable() const noexcept { return reason_.empty(); }
  const std::string& reason() const noexcept { return reason_; }

  /// Whether messages of this role can be written.
  bool has_role(std::string_view role) const noexcept { return find(role) != nullptr; }

  /// The parts of the prompt: what the format writes is trusted, what the messages hold is not. Ends with the beginning
  /// of an answer. The parts are views of the format and of the messages.
  ///
  /// Throws FormatError if the format is not usable, ArgumentError for messages that the model's template refuses.
  std::vector<TextPart> parts(std::span<const ChatMessage> messages) const {
    if (!usable()) {
      throw FormatError(
          concat("[chat_format] template: expected one that joins texts around the messages, got one of "
                 "which C++ cannot say what it does: ",
                 reason_, " (", file_, "). Python renders every template."));
    }
    if (messages.empty()) throw ArgumentError("[chat_format] messages: expected 1 or more, got 0");
    std::vector<TextPart> parts;
    std::string_view previous;
    for (const ChatMessage& message : messages) {
      const Role& role = allowed(message.role, previous);
      parts.push_back({previous.empty() ? role.first : role.later, true});
      parts.push_back({role.trim ? trimmed(message.content) : std::string_view(message.content), false});
      parts.push_back({role.suffix, true});
      previous = message.role;
    }
    parts.push_back({answer_, true});
    return parts;
  }
  std::vector<TextPart> parts(std::vector<ChatMessage>&&) const = delete;  // the parts would outlive the messages

  /// The prompt as one text, for people to read: the special tokens in it may be anybody's.
  std::string text(std::span<const ChatMessage> messages) const {
    std::string joined;
    for (const TextPart& part : parts(messages)) joined += part.text;
    return joined;
  }

  /// The prompt as tokens. Throws as `parts`.
  std::vector<Token> encode(std::span<const ChatMessage> messages, const Tokenizer& tokenizer) const {
    return tokenizer.encode(parts(messages));
  }

 private:
  struct Role {
    std::string name;
    std::string first;  // before the content of the first message
    std::string later;  // before that of another one
    std::string suffix;
    bool trim = false;               // without the whitespace around the content
    std::vector<std::string> after;  // the roles it may follow; "" is the beginning
  };

  ChatFormat(std::string reason, std::string file) : reason_(std::move(reason)), file_(std::move(file)) {}

  void read_role(const storage::JsonField& entry) {
    entry.only({"role", "first", "later", "suffix", "trim", "after"});
    Role role{entry["role"].word(),     entry["first"].string(), entry["later"].string(),
              entry["suffix"].string(), entry["trim"].flag(),    {}};
    if (has_role(role.name)) entry["role"].wrong("each role once");
    entry["after"].elements([&](const storage::JsonField& one) { role.after.push_back(one.string()); });
    roles_.push_back(std::move(role));
  }

  const Role* find(std::string_view name) const noexcept {
    const auto found = std::find_if(roles_.begin(), roles_.end(), [&](const Role& role) { return role.name == name; });
    return found == roles_.end() ? nullptr : &*found;
  }

  const Role& allowed(std::string_view name, std::string_view previous) const {
    const Role* role = find(name);
    if (role == nullptr) {
      const auto reason = missing_.find(name);
      throw ArgumentError(concat("[chat_format] role: expected ", known(), ", got '", name, "'",
                                 reason == missing_.end() ? "" : ": ",
                                 reason == missing_.end() ? std::string() : reason->second, " (", file_, ")"));
    }
    if (std::find(role->after.begin(), role->after.end(), previous) == role->after.end()) {
      throw ArgumentError(concat("[chat_format] messages: the model's template takes no '", name, "' ",
                                 previous.empty() ? "at the beginning" : concat("after '", previous, "'"), " (", file_,
                                 ")"));
    }
    return *role;
  }

  std::string known() const {
    std::string names;
    for (const Role& role : roles_) names += concat(names.empty() ? "" : " or ", "'", role.name, "'");
    return names;
  }

  /// Without what Python's str.strip() takes away, as the template did it.
  static std::string_view trimmed(std::string_view text) noexcept {
    const auto blank = [](char32_t code) { return is_space(code) || (code >= 0x1c && code <= 0x1f); };
    while (!text.empty()) {
      const Utf8Step step = utf8_step(text);
      if (!blank(step.code)) break;
      text.remove_prefix(step.length);
    }
    while (!text.empty()) {
      std::size_t last = text.size() - 1;
      while (last > 0 && (static_cast<unsigned char>(text[last]) & 0xc0) == 0x80) --last;
      if (!blank(utf8_step(text.substr(last)).code)) break;
      text = text.substr(0, last);
    }
    return text;
  }

  std::string reason_;  // why there is no format; empty where there is one
  std::string file_;
  std::string answer_;
  std::vector<Role> roles_;
  std::map<std::string, std::string, std::less<>> missing_;  // a role that the format lacks, and why
};

}  // namespace flashlm::inline v0::text
