// SPDX-License-Identifier: Apache-2.0
/// pre_tokenizer.hpp: cuts text into the words that byte pair encoding merges inside of.
///
/// The regexes of the known models are matched by hand: each is a list of alternatives on character classes, so one
/// pass over the text does it, without backtracking and in linear time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/storage/json.hpp"
#include "flashlm/text/unicode.hpp"
#include "flashlm/text/utf8.hpp"

namespace flashlm::inline v0::text {

namespace detail {

/// A position in well-formed UTF-8, with the character that begins there.
struct Cursor {
  explicit Cursor(std::string_view whole) : text(whole) { load(); }

  bool at_end() const noexcept { return position == text.size(); }
  void next() noexcept {
    position += length;
    load();
  }
  void load() noexcept {
    if (at_end()) {
      code = 0;
      length = 0;
      return;
    }
    const Utf8Step step = utf8_step(text.substr(position));
    code = step.code;
    length = step.length;
  }
  /// Moves on while `belongs` holds for the character, at most `limit` times.
  template <class Predicate>
  void skip(Predicate&& belongs, std::size_t limit = static_cast<std::size_t>(-1)) {
    for (std::size_t count = 0; count < limit && !at_end() && belongs(code); ++count) next();
  }

  std::string_view text;
  std::size_t position = 0;
  char32_t code = 0;       // 0 at the end
  std::size_t length = 0;  // bytes of the character, 0 at the end
};

constexpr bool is_newline(char32_t code) noexcept { return code == '\r' || code == '\n'; }
/// `[^\s\p{L}\p{N}]`
constexpr bool is_other(char32_t code) noexcept { return !is_space(code) && !is_letter(code) && !is_number(code); }

/// The length of `'s|'t|'re|'ve|'m|'ll|'d` at the beginning of `text`, 0 if none. `any_case` is the regex flag `i`,
/// under which U+017F (long s) is an s.
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

/// The end of `\s+(?!\S)|\s+` at `cursor`, which is on whitespace: the run without its last character where a word
/// follows.
inline std::size_t end_of_spaces(Cursor cursor) {
  const std::size_t begin = cursor.position;
  std::size_t last = begin;
  while (!cursor.at_end() && is_space(cursor.code)) {
    last = cursor.position;
    cursor.next();
  }
  return cursor.at_end() || last == begin ? cursor.position : last;
}

/// The end of the match of GPT-2's regex at `cursor`.
inline std::size_t gpt2_word(Cursor cursor) {
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

/// The end of the match at `cursor` of the regex that cl100k, Llama 3 and Qwen 2 share but for the length of a number.
inline std::size_t cl100k_word(Cursor cursor, std::size_t max_digits) {
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

/// A regex that is known, by its text in tokenizer.json.
struct KnownRegex {
  std::string_view pattern;
  std::size_t max_digits;  // of one word; 0: GPT-2's rules
};

inline constexpr KnownRegex kKnownRegexes[] = {
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", 0},
    {R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", 0},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     3},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     1},
};

}  // namespace detail

/// The `pre_tokenizer` of a tokenizer.json: a row of cutters, each cutting the pieces of the one before. Thread-safe.
class PreTokenizer {
 public:
  /// Reads ByteLevel, Digits, Split, or a Sequence of them that ends with ByteLevel. Anything else is a FormatError.
  static PreTokenizer parse(const storage::JsonField& field) {
    PreTokenizer result;
    result.add(field, 0);
    if (!result.byte_level_) field.wrong("ByteLevel, or a Sequence that ends with it");
    return result;
  }

  /// Calls `emit(std::string_view word)` for each word of `piece`, in order. A word is valid during its call only.
  /// `piece` is well-formed UTF-8.
  template <class Emit>
  void split(std::string_view piece, Emit&& emit) const {
    cut(0, piece, emit);
  }

 private:
  struct Cutter {
    enum class Kind { regex, digit, digits, literal, prefix_space };
    Kind kind;
    std::size_t max_digits = 0;  // of a regex, see KnownRegex
    std::string literal = {};    // where to cut
    bool removed = false;        // the literal is dropped
  };

  void add(const storage::JsonField& field, int depth) {
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

  void add_split(const storage::JsonField& field) {
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
    // Each known regex matches every character, so "isolate the matches" and "remove the rest" are the same.
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

  template <class Emit>
  void cut(std::size_t stage, std::string_view piece, Emit& emit) const {
    if (piece.empty()) return;
    if (stage == cutters_.size()) {
      emit(piece);
      return;
    }
    const Cutter& cutter = cutters_[stage];
    switch (cutter.kind) {
      case Cutter::Kind::regex:
        for (detail::Cursor cursor(piece); !cursor.at_end();) {
          const std::size_t end =
              cutter.max_digits == 0 ? detail::gpt2_word(cursor) : detail::cl100k_word(cursor, cutter.max_digits);
          cut(stage + 1, piece.substr(cursor.position, end - cursor.position), emit);
          cursor.position = end;
          cursor.load();
        }
        break;
      case Cutter::Kind::digit:
      case Cutter::Kind::digits:
        for (detail::Cursor cursor(piece); !cursor.at_end();) {
          const std::size_t begin = cursor.position;
          const bool numeric = is_numeric(cursor.code);
          cursor.skip([&](char32_t code) { return is_numeric(code) == numeric; },
                      numeric && cutter.kind == Cutter::Kind::digit ? 1 : static_cast<std::size_t>(-1));
          cut(stage + 1, piece.substr(begin, cursor.position - begin), emit);
        }
        break;
      case Cutter::Kind::literal:
        for (std::size_t found = piece.find(cutter.literal); found != std::string_view::npos;
             found = piece.find(cutter.literal)) {
          cut(stage + 1, piece.substr(0, found), emit);
          if (!cutter.removed) cut(stage + 1, piece.substr(found, cutter.literal.size()), emit);
          piece.remove_prefix(found + cutter.literal.size());
        }
        cut(stage + 1, piece, emit);
        break;
      case Cutter::Kind::prefix_space:
        if (piece.front() == ' ') {
          cut(stage + 1, piece, emit);
        } else {
          cut(stage + 1, std::string(1, ' ').append(piece), emit);
        }
        break;
    }
  }

  std::vector<Cutter> cutters_;
  bool byte_level_ = false;
};

}  // namespace flashlm::inline v0::text
