// SPDX-License-Identifier: Apache-2.0
/// pre_tokenizer.ipp: the bodies of pre_tokenizer.hpp.
#pragma once

#include "flashlm/text/tokenizer/pre_tokenizer.hpp"

#include <algorithm>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/text/unicode/utf8.hpp"

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
  if (!field.is_null()) result.add(field, 0);
  return result;
}

FLASHLM_ONCE void PreTokenizer::add(const storage::JsonField& field, int depth) {
  if (depth > 8) field.wrong("at most 8 Sequences inside each other");
  const std::string& type = field["type"].string();
  if (type == "Sequence") {
    field["pretokenizers"].elements([&](const storage::JsonField& part) { add(part, depth + 1); });
    return;
  }
  if (byte_level_ && !in_alphabet_) {  // what comes behind ByteLevel sees its alphabet
    cutters_.push_back({Cutter::Kind::alphabet});
    in_alphabet_ = true;
  }
  if (type == "ByteLevel") {
    if (byte_level_) field.wrong("ByteLevel once");
    if (field["add_prefix_space"].flag(true)) cutters_.push_back({Cutter::Kind::prefix_space});
    if (field["use_regex"].flag(true)) cutters_.push_back({Cutter::Kind::known_regex, 0});
    byte_level_ = true;
  } else if (type == "Digits") {
    const bool one_by_one = field["individual_digits"].flag(false);
    cutters_.push_back({one_by_one ? Cutter::Kind::digit : Cutter::Kind::digits});
  } else if (type == "Punctuation") {
    cutters_.push_back({Cutter::Kind::punctuation, 0, {}, parse_behavior(field["behavior"])});
  } else if (type == "Metaspace") {
    add_metaspace(field);
  } else if (type == "Split") {
    add_split(field);
  } else {
    field["type"].wrong("ByteLevel, Digits, Metaspace, Punctuation, Split or Sequence");
  }
}

FLASHLM_ONCE PreTokenizer::Behavior PreTokenizer::parse_behavior(const storage::JsonField& field) {
  const std::string name = field.is_null() ? std::string("Isolated") : field.string();
  if (name == "Isolated") return Behavior::isolated;
  if (name == "Removed") return Behavior::removed;
  if (name == "MergedWithPrevious") return Behavior::with_previous;
  if (name == "MergedWithNext") return Behavior::with_next;
  if (name == "Contiguous") return Behavior::contiguous;
  field.wrong("Isolated, Removed, MergedWithPrevious, MergedWithNext or Contiguous");
}

FLASHLM_ONCE void PreTokenizer::add_metaspace(const storage::JsonField& field) {
  Cutter signs{Cutter::Kind::space_sign};
  signs.literal = field["replacement"].is_null() ? std::string(kSpaceSign)
                                                 : std::string(field["replacement"].word());
  // Files of before 2024 say add_prefix_space, and those of one year both.
  const storage::JsonField scheme = field["prepend_scheme"];
  const std::string word = scheme.is_null()
                               ? (field["add_prefix_space"].flag(true) ? "always" : "never")
                               : scheme.string();
  if (word != "always" && word != "first" && word != "never")
    scheme.wrong("always, first or never");
  signs.always = word == "always";
  signs.first = word == "first";
  Cutter before{Cutter::Kind::literal, 0, signs.literal, Behavior::with_next};
  cutters_.push_back(std::move(signs));
  if (field["split"].flag(true)) cutters_.push_back(std::move(before));
}

FLASHLM_ONCE void PreTokenizer::add_split(const storage::JsonField& field) {
  Cutter cutter{Cutter::Kind::literal};
  cutter.behavior = parse_behavior(field["behavior"]);
  cutter.invert = field["invert"].flag(false);
  const storage::JsonField pattern = field["pattern"];
  if (cutter.invert && (cutter.behavior != Behavior::removed || !pattern["String"].is_null()))
    field["invert"].wrong("false, but for a Regex whose matches are to stay, Removed");
  if (!pattern["String"].is_null()) {
    cutter.literal = pattern["String"].word();
    cutters_.push_back(std::move(cutter));
    return;
  }
  const std::string& regex = pattern["Regex"].string();
  // Each known regex matches every character, so "isolate the matches" and "remove the rest" are
  // the same.
  const bool whole = cutter.behavior == Behavior::isolated || cutter.invert;
  for (const detail::KnownRegex& known : detail::kKnownRegexes) {
    if (whole && known.pattern == regex) {
      cutters_.push_back({Cutter::Kind::known_regex, known.max_digits});
      return;
    }
  }
  cutter.kind = Cutter::Kind::regex;
  try {
    cutter.regex = Regex(regex);
  } catch (const ArgumentError& error) {
    pattern["Regex"].refuse(error.what());
  }
  cutters_.push_back(std::move(cutter));
}

FLASHLM_INLINE std::pair<std::size_t, std::size_t> PreTokenizer::find(const Cutter& cutter,
                                                                      std::string_view piece,
                                                                      std::size_t from) {
  if (cutter.kind == Cutter::Kind::literal) {
    const std::size_t found = std::min(piece.find(cutter.literal, from), piece.size());
    return {found, std::min(found + cutter.literal.size(), piece.size())};
  }
  for (detail::Cursor cursor(piece.substr(from)); !cursor.at_end(); cursor.next()) {
    const std::size_t begin = from + cursor.position;
    if (cutter.kind == Cutter::Kind::punctuation) {
      if (is_punctuation(cursor.code)) return {begin, begin + cursor.length};
      continue;
    }
    const std::optional<std::size_t> end = cutter.regex->match(piece, begin);
    if (end && *end > begin) return {begin, *end};
  }
  return {piece.size(), piece.size()};
}

}  // namespace flashlm::inline FLASHLM_ABI::text
