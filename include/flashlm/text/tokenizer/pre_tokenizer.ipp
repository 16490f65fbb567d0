// SPDX-License-Identifier: Apache-2.0
/// pre_tokenizer.ipp: the bodies of pre_tokenizer.hpp.
#pragma once

#include "flashlm/text/tokenizer/pre_tokenizer.hpp"

#include "flashlm/text/tokenizer/utf8.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

namespace detail {

FLASHLM_INLINE void Cursor::next() noexcept {
  position += length;
  load();
}

FLASHLM_INLINE void Cursor::load() noexcept {
  if (at_end()) {
    code = 0;
    length = 0;
    return;
  }
  const Utf8Step step = utf8_step(text.substr(position));
  code = step.code;
  length = step.length;
}

constexpr bool is_newline(char32_t code) noexcept { return code == '\r' || code == '\n'; }

/// `[^\s\p{L}\p{N}]`
constexpr bool is_other(char32_t code) noexcept {
  return !is_space(code) && !is_letter(code) && !is_number(code);
}

/// The length of `'s|'t|'re|'ve|'m|'ll|'d` at the beginning of `text`, 0 if none. `any_case` is the
/// regex flag `i`, under which U+017F (long s) is an s.
constexpr std::size_t contraction(std::string_view text, bool any_case) noexcept {
  if (text.size() < 2 || text[0] != '\'') return 0;
  const auto letter = [&](std::size_t index) {
    const char byte = index < text.size() ? text[index] : '\0';
    return any_case && byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte;
  };
  const char first = letter(1);
  const char second = letter(2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if ((first == 'r' || first == 'v') && second == 'e') return 3;
  if (first == 'l' && second == 'l') return 3;
  if (any_case && text.substr(1, 2) == "\xc5\xbf") return 3;
  return 0;
}

/// The end of `\s+(?!\S)|\s+` at `cursor`, which is on whitespace: the run without its last
/// character where a word follows.
inline std::size_t end_of_spaces(Cursor cursor) {
  const std::size_t begin = cursor.position;
  std::size_t last = begin;
  while (!cursor.at_end() && is_space(cursor.code)) {
    last = cursor.position;
    cursor.next();
  }
  return cursor.at_end() || last == begin ? cursor.position : last;
}

FLASHLM_INLINE std::size_t gpt2_word(Cursor cursor) {
  if (const std::size_t length = contraction(cursor.text.substr(cursor.position), false)) {
    return cursor.position + length;
  }
  Cursor word = cursor;
  if (word.code == ' ') word.next();
  const std::size_t begin = word.position;
  word.skip(is_letter);
  if (word.position == begin) word.skip(is_number);
  if (word.position == begin) word.skip(is_other);
  return word.position != begin ? word.position : end_of_spaces(cursor);
}

FLASHLM_INLINE std::size_t cl100k_word(Cursor cursor, std::size_t max_digits) {
  if (const std::size_t length = contraction(cursor.text.substr(cursor.position), true)) {
    return cursor.position + length;
  }
  Cursor word = cursor;
  if (!is_letter(word.code) && !is_number(word.code) && !is_newline(word.code)) word.next();
  std::size_t begin = word.position;
  word.skip(is_letter);
  if (word.position != begin) return word.position;
  word = cursor;
  word.skip(is_number, max_digits);
  if (word.position != cursor.position) return word.position;
  if (word.code == ' ') word.next();
  begin = word.position;
  word.skip(is_other);
  if (word.position != begin) {
    word.skip(is_newline);
    return word.position;
  }
  std::size_t after_newline = 0;
  for (word = cursor; !word.at_end() && is_space(word.code);) {
    const bool newline = is_newline(word.code);
    word.next();
    if (newline) after_newline = word.position;
  }
  return after_newline != 0 ? after_newline : end_of_spaces(cursor);
}

}  // namespace detail

FLASHLM_ONCE PreTokenizer PreTokenizer::parse(const storage::JsonField& field) {
  PreTokenizer result;
  result.add(field, 0);
  if (!result.byte_level_) field.wrong("ByteLevel, or a Sequence that ends with it");
  return result;
}

FLASHLM_ONCE void PreTokenizer::add(const storage::JsonField& field, int depth) {
  if (depth > 8) field.wrong("at most 8 Sequences inside each other");
  if (byte_level_) field.wrong("nothing after ByteLevel");
  const std::string& type = field["type"].string();
  if (type == "Sequence") {
    field["pretokenizers"].elements([&](const storage::JsonField& part) { add(part, depth + 1); });
  } else if (type == "ByteLevel") {
    if (field["add_prefix_space"].flag(true)) cutters_.push_back({Cutter::Kind::prefix_space});
    if (field["use_regex"].flag(true)) cutters_.push_back({Cutter::Kind::regex, 0});
    byte_level_ = true;
  } else if (type == "Digits") {
    const bool one_by_one = field["individual_digits"].flag(false);
    cutters_.push_back({one_by_one ? Cutter::Kind::digit : Cutter::Kind::digits});
  } else if (type == "Split") {
    add_split(field);
  } else {
    field["type"].wrong("ByteLevel, Digits, Split or Sequence");
  }
}

FLASHLM_ONCE void PreTokenizer::add_split(const storage::JsonField& field) {
  const std::string& behavior = field["behavior"].string();
  const bool removed = behavior == "Removed";
  const bool invert = field["invert"].flag(false);
  const storage::JsonField pattern = field["pattern"];
  if (!removed && behavior != "Isolated") field["behavior"].wrong("Isolated or Removed");
  if (!pattern["String"].is_null()) {
    if (invert) field["invert"].wrong("false for a Split at a String");
    cutters_.push_back({Cutter::Kind::literal, 0, pattern["String"].word(), removed});
    return;
  }
  // Each known regex matches every character, so "isolate the matches" and "remove the rest" are
  // the same.
  if (removed && !invert) field["behavior"].wrong("Isolated, or Removed with invert");
  const std::string& regex = pattern["Regex"].string();
  for (const detail::KnownRegex& known : detail::kKnownRegexes) {
    if (known.pattern == regex) {
      cutters_.push_back({Cutter::Kind::regex, known.max_digits});
      return;
    }
  }
  pattern["Regex"].wrong("the regex of GPT-2, Llama 3 (cl100k) or Qwen 2");
}

}  // namespace flashlm::inline FLASHLM_ABI::text
