// SPDX-License-Identifier: Apache-2.0
/// chat_format.ipp: the bodies of chat_format.hpp.
#pragma once

#include "flashlm/text/chat/chat_format.hpp"

#include <algorithm>
#include <cstddef>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/io/file.hpp"
#include "flashlm/text/unicode/unicode.hpp"
#include "flashlm/text/unicode/utf8.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE ChatFormat ChatFormat::open(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kFileName;
  if (std::filesystem::exists(path)) return parse(storage::read_text(path), path.string());
  return ChatFormat(
      "the folder has no chat_format.json: the model is no chat model, or was packed by an older "
      "version and must be packed again",
      path.string());
}

FLASHLM_INLINE ChatFormat ChatFormat::parse(std::string_view json, const std::string& file) {
  const storage::Json document = storage::parse_json(json, "chat_format", file);
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
  fields["missing"].members([&](const std::string& role, const storage::JsonField& reason) {
    format.missing_[role] = reason.string();
  });
  return format;
}

FLASHLM_INLINE std::vector<TextPart> ChatFormat::parts(
    std::span<const ChatMessage> messages) const {
  if (!usable()) {
    throw FormatError(concat(
        "[chat_format] template: expected one that joins texts around the messages, got one of "
        "which C++ cannot say what it does: ",
        reason_, " (", file_, "). Python renders every template."));
  }
  if (messages.empty()) throw ArgumentError("[chat_format] messages: expected 1 or more, got 0");
  std::vector<TextPart> parts;
  std::string_view previous;
  for (const ChatMessage& message : messages) {
    const Role& role = allowed(message.role, previous);
    parts.push_back({previous.empty() ? role.first : role.later, true});
    parts.push_back(
        {role.trim ? trimmed(message.content) : std::string_view(message.content), false});
    parts.push_back({role.suffix, true});
    previous = message.role;
  }
  parts.push_back({answer_, true});
  return parts;
}

FLASHLM_INLINE std::string ChatFormat::text(std::span<const ChatMessage> messages) const {
  std::string joined;
  for (const TextPart& part : parts(messages)) joined += part.text;
  return joined;
}

FLASHLM_INLINE std::vector<Token> ChatFormat::encode(std::span<const ChatMessage> messages,
                                                     const Tokenizer& tokenizer) const {
  return tokenizer.encode(parts(messages));
}

FLASHLM_INLINE void ChatFormat::read_role(const storage::JsonField& entry) {
  entry.only({"role", "first", "later", "suffix", "trim", "after"});
  Role role{entry["role"].word(),     entry["first"].string(), entry["later"].string(),
            entry["suffix"].string(), entry["trim"].flag(),    {}};
  if (has_role(role.name)) entry["role"].wrong("each role once");
  entry["after"].elements(
      [&](const storage::JsonField& one) { role.after.push_back(one.string()); });
  roles_.push_back(std::move(role));
}

FLASHLM_INLINE const ChatFormat::Role* ChatFormat::find(std::string_view name) const noexcept {
  const auto found = std::find_if(roles_.begin(), roles_.end(),
                                  [&](const Role& role) { return role.name == name; });
  return found == roles_.end() ? nullptr : &*found;
}

FLASHLM_INLINE const ChatFormat::Role& ChatFormat::allowed(std::string_view name,
                                                           std::string_view previous) const {
  const Role* role = find(name);
  if (role == nullptr) {
    const auto reason = missing_.find(name);
    throw ArgumentError(concat("[chat_format] role: expected ", known(), ", got '", name, "'",
                               reason == missing_.end() ? "" : ": ",
                               reason == missing_.end() ? std::string() : reason->second, " (",
                               file_, ")"));
  }
  if (std::find(role->after.begin(), role->after.end(), previous) == role->after.end()) {
    throw ArgumentError(
        concat("[chat_format] messages: the model's template takes no '", name, "' ",
               previous.empty() ? "at the beginning" : concat("after '", previous, "'"), " (",
               file_, ")"));
  }
  return *role;
}

FLASHLM_INLINE std::string ChatFormat::known() const {
  std::string names;
  for (const Role& role : roles_) names += concat(names.empty() ? "" : " or ", "'", role.name, "'");
  return names;
}

FLASHLM_INLINE std::string_view ChatFormat::trimmed(std::string_view text) noexcept {
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

}  // namespace flashlm::inline FLASHLM_ABI::text
