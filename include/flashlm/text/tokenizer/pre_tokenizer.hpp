// SPDX-License-Identifier: Apache-2.0
/// pre_tokenizer.hpp: cuts text into the words that byte pair encoding merges inside of.
///
/// The regexes of the known models are matched by hand: each is a list of alternatives on character
/// classes, so one pass over the text does it, without backtracking and in linear time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/storage/format/json.hpp"
#include "flashlm/text/tokenizer/unicode.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

namespace detail {

/// A position in well-formed UTF-8, with the character that begins there.
struct Cursor {
  explicit Cursor(std::string_view whole) : text(whole) { load(); }

  bool at_end() const noexcept { return position == text.size(); }
  void next() noexcept;
  void load() noexcept;
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

/// The end of the match of GPT-2's regex at `cursor`.
std::size_t gpt2_word(Cursor cursor);

/// The end of the match at `cursor` of the regex that cl100k, Llama 3 and Qwen 2 share but for the
/// length of a number.
std::size_t cl100k_word(Cursor cursor, std::size_t max_digits);

/// A regex that is known, by its text in tokenizer.json.
struct KnownRegex {
  std::string_view pattern;
  std::size_t max_digits;  // of one word; 0: GPT-2's rules
};

inline constexpr KnownRegex kKnownRegexes[] = {
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", 0},
    {R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", 0},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
     R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     3},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
     R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     1},
};

}  // namespace detail

/// The `pre_tokenizer` of a tokenizer.json: a row of cutters, each cutting the pieces of the one
/// before. Thread-safe.
class PreTokenizer {
 public:
  /// Reads ByteLevel, Digits, Split, or a Sequence of them that ends with ByteLevel. Anything else
  /// is a FormatError.
  static PreTokenizer parse(const storage::JsonField& field);

  /// Calls `emit(std::string_view word)` for each word of `piece`, in order. A word is valid during
  /// its call only. `piece` is well-formed UTF-8.
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

  void add(const storage::JsonField& field, int depth);

  void add_split(const storage::JsonField& field);

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
          const std::size_t end = cutter.max_digits == 0
                                      ? detail::gpt2_word(cursor)
                                      : detail::cl100k_word(cursor, cutter.max_digits);
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
          cursor.skip(
              [&](char32_t code) { return is_numeric(code) == numeric; },
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

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/tokenizer/pre_tokenizer.ipp"
#endif
