// SPDX-License-Identifier: Apache-2.0
/// pre_tokenizer.hpp: cuts text into the words that a model of tokens looks at one by one.
///
/// The regexes of the most frequent models are matched by hand: each is a list of alternatives on
/// character classes, so one pass over the text does it, without backtracking and in linear time.
/// Others are matched by Regex.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/storage/format/json.hpp"
#include "flashlm/text/tokenizer/byte_alphabet.hpp"
#include "flashlm/text/tokenizer/normalizer.hpp"
#include "flashlm/text/tokenizer/regex.hpp"
#include "flashlm/text/unicode/unicode.hpp"
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

/// U+2581, which stands for a space in the vocabularies of SentencePiece.
inline constexpr std::string_view kSpaceSign = "\xe2\x96\x81";

/// The `pre_tokenizer` of a tokenizer.json: a row of cutters, each cutting the pieces of the one
/// before. Thread-safe.
class PreTokenizer {
 public:
  /// Reads ByteLevel, Digits, Metaspace, Punctuation, Split, or a Sequence of them; null is none.
  /// Anything else is a FormatError.
  static PreTokenizer parse(const storage::JsonField& field);

  /// True if the words are bytes, which the vocabulary writes in GPT-2's alphabet.
  bool is_byte_level() const noexcept { return byte_level_; }

  /// Calls `emit(std::string_view word)` for each word of `piece`, in order. A word is valid during
  /// its call only. `piece` is well-formed UTF-8; `begins` says that it begins its text.
  template <class Emit>
  void split(std::string_view piece, bool begins, Emit&& emit) const {
    cut(0, piece, begins, emit);
  }

 private:
  /// What becomes of the matches of a pattern.
  enum class Behavior : std::uint8_t { isolated, removed, with_previous, with_next, contiguous };

  struct Cutter {
    enum class Kind : std::uint8_t {
      known_regex,
      regex,
      literal,
      punctuation,
      digit,
      digits,
      prefix_space,
      space_sign,
      alphabet
    };
    Kind kind;
    std::size_t max_digits = 0;  // of a known regex, see KnownRegex
    std::string literal = {};    // where to cut; of space_sign: what stands for a space
    Behavior behavior = Behavior::isolated;
    bool invert = false;  // the matches are what lies between
    std::optional<Regex> regex = {};
    bool always = true, first = false;  // space_sign: which pieces get one in front
  };

  void add(const storage::JsonField& field, int depth);

  void add_split(const storage::JsonField& field);

  void add_metaspace(const storage::JsonField& field);

  static Behavior parse_behavior(const storage::JsonField& field);

  /// The first match of `cutter` at or behind `from`: begin and end; both the size if there is
  /// none.
  static std::pair<std::size_t, std::size_t> find(const Cutter& cutter, std::string_view piece,
                                                  std::size_t from);

  template <class Emit>
  void cut_matches(std::size_t stage, std::string_view piece, bool begins, Emit& emit) const {
    const Cutter& cutter = cutters_[stage];
    std::size_t done = 0;  // what comes before is emitted
    const auto put = [&](std::size_t end) {
      if (done < end) cut(stage + 1, piece.substr(done, end - done), begins && done == 0, emit);
      done = end;
    };
    std::size_t last_end = piece.size() + 1;  // of the match before
    for (std::size_t at = 0; at < piece.size();) {
      const auto [begin, end] = find(cutter, piece, at);
      if (begin == end) break;
      switch (cutter.behavior) {
        case Behavior::isolated:
          put(begin);
          put(end);
          break;
        case Behavior::removed:
          if (cutter.invert) {
            done = begin;
            put(end);
          } else {
            put(begin);
            done = end;
          }
          break;
        case Behavior::with_previous: put(end); break;
        case Behavior::with_next: put(begin); break;
        case Behavior::contiguous:
          if (begin != last_end) put(begin);
          break;
      }
      if (cutter.behavior == Behavior::contiguous) {
        // Matches without anything between are one.
        const auto next = find(cutter, piece, end);
        if (next.first != end || next.first == next.second) put(end);
      }
      last_end = at = end;
    }
    if (!(cutter.behavior == Behavior::removed && cutter.invert)) put(piece.size());
  }

  template <class Emit>
  void cut(std::size_t stage, std::string_view piece, bool begins, Emit& emit) const {
    if (piece.empty()) return;
    if (stage == cutters_.size()) {
      in_alphabet_ ? emit(*alphabet_to_bytes(piece)) : emit(piece);
      return;
    }
    const Cutter& cutter = cutters_[stage];
    switch (cutter.kind) {
      case Cutter::Kind::known_regex:
        for (detail::Cursor cursor(piece); !cursor.at_end();) {
          const std::size_t begin = cursor.position;
          const std::size_t end = cutter.max_digits == 0
                                      ? detail::gpt2_word(cursor)
                                      : detail::cl100k_word(cursor, cutter.max_digits);
          cut(stage + 1, piece.substr(begin, end - begin), begins && begin == 0, emit);
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
          cut(stage + 1, piece.substr(begin, cursor.position - begin), begins && begin == 0, emit);
        }
        break;
      case Cutter::Kind::regex:
      case Cutter::Kind::literal:
      case Cutter::Kind::punctuation: cut_matches(stage, piece, begins, emit); break;
      case Cutter::Kind::prefix_space:
        if (piece.front() == ' ') {
          cut(stage + 1, piece, begins, emit);
        } else {
          cut(stage + 1, std::string(1, ' ').append(piece), begins, emit);
        }
        break;
      case Cutter::Kind::space_sign: {
        std::string signs = replaced(piece, " ", cutter.literal);
        const bool wanted = cutter.always || (cutter.first && begins);
        if (wanted && !signs.starts_with(cutter.literal)) signs.insert(0, cutter.literal);
        cut(stage + 1, signs, begins, emit);
        break;
      }
      case Cutter::Kind::alphabet: cut(stage + 1, bytes_to_alphabet(piece), begins, emit); break;
    }
  }

  std::vector<Cutter> cutters_;
  bool byte_level_ = false;
  bool in_alphabet_ = false;  // cutters behind ByteLevel see its alphabet
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/tokenizer/pre_tokenizer.ipp"
#endif
