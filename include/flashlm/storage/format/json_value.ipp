// SPDX-License-Identifier: Apache-2.0
/// json_value.ipp: the bodies of json_value.hpp.
#pragma once

#include "flashlm/storage/format/json_value.hpp"

#include <bit>
#include <set>
#include <utility>

namespace flashlm::inline FLASHLM_ABI::storage {

FLASHLM_ONCE JsonKind JsonValue::kind() const noexcept {
  return is_absent() || document_->nodes_.empty() ? JsonKind::null : document_->nodes_[node_].kind;
}

FLASHLM_ONCE std::size_t JsonValue::size() const noexcept {
  return is_array() || is_object() ? static_cast<std::size_t>(document_->nodes_[node_].value) : 0;
}

FLASHLM_ONCE bool JsonValue::flag() const noexcept { return document_->nodes_[node_].value != 0; }

FLASHLM_ONCE std::uint64_t JsonValue::count() const noexcept {
  return document_->nodes_[node_].value;
}

FLASHLM_ONCE double JsonValue::number() const noexcept {
  const Json::Node& node = document_->nodes_[node_];
  if (node.kind == JsonKind::real) return std::bit_cast<double>(node.value);
  if (node.kind == JsonKind::negative)
    return static_cast<double>(static_cast<std::int64_t>(node.value));
  return static_cast<double>(node.value);
}

FLASHLM_ONCE const std::string& JsonValue::string() const noexcept {
  return document_->texts_[static_cast<std::size_t>(document_->nodes_[node_].value)];
}

FLASHLM_ONCE JsonValue JsonValue::find(std::string_view key) const noexcept {
  if (size() == 0) return {};
  JsonValue value = first();
  for (std::size_t left = size(); left > 1; --left, value = value.next()) {
    if (value.key() == key) return value;
  }
  return value.key() == key ? value : JsonValue();
}

FLASHLM_ONCE JsonValue JsonValue::first() const noexcept {
  return {*document_, is_array() ? node_ + 1 : document_->kept(node_ + 1)};
}

FLASHLM_ONCE JsonValue JsonValue::next() const noexcept {
  const std::size_t node = document_->behind(node_);
  return {*document_, document_->nodes_[node].is_key ? document_->kept(node) : node};
}

FLASHLM_ONCE const std::string& JsonValue::key() const noexcept {
  return JsonValue(*document_, node_ - 1).string();
}

namespace detail {

/// The code point of the character that `text` begins with, and its bytes; U+FFFD and 1 for broken
/// ones.
inline std::pair<unsigned, std::size_t> code_point(std::string_view text) noexcept {
  const auto byte = [&](std::size_t index) {
    return static_cast<unsigned>(static_cast<unsigned char>(text[index]));
  };
  const std::size_t length = byte(0) < 0xc0 ? 0 : byte(0) < 0xe0 ? 2 : byte(0) < 0xf0 ? 3 : 4;
  if (length == 0 || length > text.size()) return {0xfffd, 1};
  unsigned code = byte(0) & (0x7fu >> length);
  for (std::size_t index = 1; index < length; ++index) code = code << 6 | (byte(index) & 0x3f);
  return {code, length};
}

inline void append_unit(std::string& text, unsigned unit) {
  text += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) text += "0123456789abcdef"[unit >> shift & 0xf];
}

inline void append_quoted(std::string& text, std::string_view string, bool ascii) {
  constexpr std::string_view kShort = "\b\t\n\f\r\"\\";
  text += '"';
  while (!string.empty()) {
    const auto byte = static_cast<unsigned char>(string.front());
    std::size_t length = 1;
    if (const std::size_t known = kShort.find(string.front()); known != std::string_view::npos) {
      text += '\\';
      text += "btnfr\"\\"[known];
    } else if (byte < 0x20 || (ascii && byte == 0x7f)) {
      append_unit(text, byte);
    } else if (byte < 0x80 || !ascii) {
      text += string.front();
    } else {
      const auto [code, bytes] = code_point(string);
      length = bytes;
      if (code > 0xffff) append_unit(text, 0xd7c0 + (code >> 10));
      append_unit(text, code > 0xffff ? 0xdc00 + (code & 0x3ff) : code);
    }
    string.remove_prefix(length);
  }
  text += '"';
}

}  // namespace detail

FLASHLM_ONCE std::string JsonValue::dump(int indent, bool ascii) const {
  std::string text;
  write(text, indent, 1, ascii);
  return text;
}

FLASHLM_ONCE void JsonValue::write(std::string& text, int indent, int level, bool ascii) const {
  const auto begin_line = [&](int depth) {
    if (indent >= 0) text.append("\n").append(static_cast<std::size_t>(indent * depth), ' ');
  };
  switch (kind()) {
    case JsonKind::null: text += "null"; return;
    case JsonKind::flag: text += flag() ? "true" : "false"; return;
    case JsonKind::count: text += std::to_string(count()); return;
    case JsonKind::negative: text += std::to_string(static_cast<std::int64_t>(count())); return;
    case JsonKind::real: text += document_->texts_[document_->nodes_[node_].end]; return;
    case JsonKind::string: detail::append_quoted(text, string(), ascii); return;
    case JsonKind::array:
    case JsonKind::object: break;
  }
  text += is_array() ? '[' : '{';
  JsonValue value;
  for (std::size_t index = 0; index < size(); ++index) {
    value = index == 0 ? first() : value.next();
    if (index != 0) text += ',';
    begin_line(level);
    if (is_object()) {
      detail::append_quoted(text, value.key(), ascii);
      text += indent >= 0 ? ": " : ":";
    }
    value.write(text, indent, level + 1, ascii);
  }
  if (size() != 0) begin_line(level - 1);
  text += is_array() ? ']' : '}';
}

FLASHLM_ONCE Json Json::object() {
  Json json;
  json.open(JsonKind::object);
  json.close();
  return json;
}

FLASHLM_ONCE void Json::open(JsonKind kind) {
  add(kind, 0, 0);
  open_.push_back(nodes_.size() - 1);
}

FLASHLM_ONCE void Json::close() {
  nodes_[open_.back()].end = nodes_.size();
  open_.pop_back();
}

FLASHLM_ONCE Json& Json::key(std::string_view key) {
  nodes_.push_back({put(key), 0, JsonKind::string, true});
  return *this;
}

FLASHLM_ONCE void Json::add(std::string_view text) { add(JsonKind::string, put(text), 0); }

FLASHLM_ONCE void Json::add(double number, std::string_view written) {
  add(JsonKind::real, std::bit_cast<std::uint64_t>(number), put(written));
}

FLASHLM_ONCE void Json::add(const JsonValue& value) {
  switch (value.kind()) {
    case JsonKind::null: return add(nullptr);
    case JsonKind::flag:
    case JsonKind::count:
    case JsonKind::negative: return add(value.kind(), value.count(), 0);
    case JsonKind::real:
      return add(value.number(), value.document_->texts_[value.document_->nodes_[value.node_].end]);
    case JsonKind::string: return add(std::string_view(value.string()));
    case JsonKind::array:
    case JsonKind::object: break;
  }
  open(value.kind());
  JsonValue part;
  for (std::size_t index = 0; index < value.size(); ++index) {
    part = index == 0 ? value.first() : part.next();
    if (value.is_object()) key(part.key());
    add(part);
  }
  close();
}

FLASHLM_ONCE const std::string* Json::drop_repeated_keys() {
  const std::string* repeated = nullptr;
  std::vector<std::size_t> keys;
  for (std::size_t node = open_.back() + 1; node < nodes_.size(); node = behind(node + 1))
    keys.push_back(node);
  std::set<std::string_view> later;
  for (std::size_t index = keys.size(); index-- > 0;) {
    Node& node = nodes_[keys[index]];
    const std::string& key = texts_[static_cast<std::size_t>(node.value)];
    if (later.insert(key).second) continue;
    node.is_dropped = true;
    --nodes_[open_.back()].value;
    repeated = &key;
  }
  return repeated;
}

FLASHLM_ONCE void Json::add(JsonKind kind, std::uint64_t value, std::size_t end) {
  if (!open_.empty()) ++nodes_[open_.back()].value;
  nodes_.push_back({value, end, kind});
}

FLASHLM_ONCE std::size_t Json::put(std::string_view text) {
  texts_.emplace_back(text);
  return texts_.size() - 1;
}

FLASHLM_ONCE std::size_t Json::behind(std::size_t node) const noexcept {
  const bool holds = nodes_[node].kind == JsonKind::array || nodes_[node].kind == JsonKind::object;
  return holds ? nodes_[node].end : node + 1;
}

FLASHLM_ONCE std::size_t Json::kept(std::size_t node) const noexcept {
  while (nodes_[node].is_dropped) node = behind(node + 1);
  return node + 1;
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
