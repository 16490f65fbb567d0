// SPDX-License-Identifier: Apache-2.0
/// pattern.hpp: reads a subset of ECMA's regular expressions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/text/code_points.hpp"
#include "flashlm/text/utf8.hpp"

namespace flashlm::inline v0::text {

/// What a class such as \w holds where readers differ about characters beyond ASCII: what all of them agree on, or
/// what one of them takes.
enum class PatternReading { certain, possible };

/// A regular expression (ECMA-262, section 22.2) as a tree. Known are
///
///   - characters, `.`, classes with ranges and negation, \d \w \s \D \W \S, \t \n \v \f \r \0 \xHH \uHHHH \u{H};
///   - groups `( )`, `(?: )`, `(?<name> )`, alternatives `|`, the anchors `^` and `$`;
///   - the quantifiers `*`, `+`, `?`, `{m}`, `{m,}`, `{m,n}`, also with `?` behind, which changes no language.
class Pattern {
 public:
  using Id = std::uint32_t;

  static constexpr std::uint32_t kEndless = std::numeric_limits<std::uint32_t>::max();

  struct Part {
    enum class Kind : std::uint8_t { characters, sequence, either, repeat, begin, end } kind = Kind::sequence;
    CodePoints set{};         // characters
    std::vector<Id> parts{};  // sequence, either; of repeat the one that is repeated
    std::uint32_t least = 0;  // repeat
    std::uint32_t most = 0;   // repeat
  };

  /// Throws FormatError for what it does not know.
  explicit Pattern(std::string_view text, PatternReading reading = PatternReading::certain)
      : text_(text), reading_(reading) {
    if (!is_utf8(text)) refuse("expected UTF-8");
    root_ = read_alternatives(0);
    if (at_ < text_.size()) refuse("expected no ')' here");
  }

  const Part& part(Id id) const noexcept { return parts_[id]; }
  Id root() const noexcept { return root_; }

 private:
  static constexpr int kDeepest = 64;
  static constexpr std::uint32_t kMostRounds = 4'096;

  [[noreturn]] void refuse(std::string_view problem) const {
    throw FormatError(concat("[pattern] at byte ", at_, ": ", problem));
  }

  Id add(Part part) {
    parts_.push_back(std::move(part));
    return static_cast<Id>(parts_.size() - 1);
  }

  bool is_next(std::string_view word) const { return text_.substr(at_).starts_with(word); }
  bool take(std::string_view word) {
    if (!is_next(word)) return false;
    at_ += word.size();
    return true;
  }

  /// Alternatives up to ')' or the end of the text.
  Id read_alternatives(int depth) {
    if (depth > kDeepest) refuse("groups are nested too deep");
    Part either{.kind = Part::Kind::either};
    do {
      Part sequence;
      while (at_ < text_.size() && !is_next("|") && !is_next(")")) sequence.parts.push_back(read_term(depth));
      either.parts.push_back(add(std::move(sequence)));
    } while (take("|"));
    return either.parts.size() == 1 ? either.parts.front() : add(std::move(either));
  }

  /// An atom and its quantifier.
  Id read_term(int depth) {
    if (take("^") || take("$")) {
      const bool at_begin = text_[at_ - 1] == '^';
      if (is_quantifier()) refuse("an anchor cannot be repeated");
      return add({.kind = at_begin ? Part::Kind::begin : Part::Kind::end});
    }
    const Id atom = read_atom(depth);
    const auto [least, most] = read_quantifier();
    if (least == 1 && most == 1) return atom;
    return add({.kind = Part::Kind::repeat, .parts = {atom}, .least = least, .most = most});
  }

  bool is_quantifier() const {
    std::size_t at = at_;
    std::pair<std::uint32_t, std::uint32_t> rounds;
    return is_next("*") || is_next("+") || is_next("?") || bounds(at, rounds);
  }

  std::pair<std::uint32_t, std::uint32_t> read_quantifier() {
    std::pair<std::uint32_t, std::uint32_t> rounds = {1, 1};
    if (take("*")) {
      rounds = {0, kEndless};
    } else if (take("+")) {
      rounds = {1, kEndless};
    } else if (take("?")) {
      rounds = {0, 1};
    } else if (!bounds(at_, rounds)) {
      return rounds;
    }
    take("?");
    if (is_quantifier()) refuse("a quantifier cannot be repeated");
    return rounds;
  }

  /// {m}, {m,} or {m,n} at `at`, which is moved behind it; other braces are characters.
  bool bounds(std::size_t& at, std::pair<std::uint32_t, std::uint32_t>& rounds) const {
    std::size_t next = at;
    const auto number = [&](std::uint32_t& value) {
      const std::size_t begin = next;
      value = 0;
      for (; next < text_.size() && text_[next] >= '0' && text_[next] <= '9'; ++next) {
        value = std::min(value * 10 + static_cast<std::uint32_t>(text_[next] - '0'), kMostRounds + 1);
      }
      return next > begin;
    };
    const auto sign = [&](char wanted) { return next < text_.size() && text_[next] == wanted && ++next > 0; };
    if (!sign('{') || !number(rounds.first)) return false;
    rounds.second = rounds.first;
    if (sign(',') && !number(rounds.second)) rounds.second = kEndless;
    if (!sign('}')) return false;
    const std::uint32_t largest = rounds.second == kEndless ? rounds.first : rounds.second;
    if (largest > kMostRounds) refuse(concat("expected at most ", kMostRounds, " rounds"));
    if (rounds.first > rounds.second) refuse("the bounds of a quantifier are in the wrong order");
    at = next;
    return true;
  }

  Id read_atom(int depth) {
    if (take("(")) {
      const bool is_named = is_next("?<") && !is_next("?<=") && !is_next("?<!");
      if (is_named) {
        at_ = std::min(text_.find('>', at_), text_.size() - 1) + 1;
      } else if (!take("?:") && is_next("?")) {
        refuse("look-ahead, look-behind and flags are not supported");
      }
      const Id inside = read_alternatives(depth + 1);
      if (!take(")")) refuse("expected ')'");
      return inside;
    }
    if (is_quantifier()) refuse("there is nothing to repeat");
    return add({.kind = Part::Kind::characters, .set = read_set()});
  }

  CodePoints read_set() {
    if (take(".")) {
      if (reading_ == PatternReading::possible) return CodePoints::all();
      return CodePoints{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}.complement();
    }
    if (take("[")) return read_class();
    if (is_next("\\")) return read_escape(false, false);
    const char32_t one = read_character();
    return {{one, one}};
  }

  char32_t read_character() {
    const Utf8Step step = utf8_step(text_.substr(at_));
    at_ += step.length;
    return step.code;
  }

  CodePoints read_class() {
    const bool negated = take("^");
    if (is_next("]")) refuse("an empty class is not supported");
    CodePoints set;
    while (!take("]")) {
      if (at_ >= text_.size()) refuse("expected ']'");
      const bool one_left = !is_shorthand();
      const CodePoints left = read_member(negated);
      const bool is_range = one_left && is_next("-") && at_ + 1 < text_.size() && text_[at_ + 1] != ']';
      if (!is_range) {
        set.add(left);
        continue;
      }
      ++at_;
      if (is_shorthand()) refuse("a range needs characters at both ends");
      const CodePoints right = read_member(negated);
      const char32_t first = left.ranges().front().first;
      const char32_t last = right.ranges().front().first;
      if (first > last) refuse("the ends of a range are in the wrong order");
      set.add({{first, last}});
    }
    return negated ? set.complement() : set;
  }

  bool is_shorthand() const {
    return is_next("\\") && at_ + 1 < text_.size() &&
           std::string_view("dDwWsS").find(text_[at_ + 1]) != std::string_view::npos;
  }

  CodePoints read_member(bool negated) {
    if (is_next("\\")) return read_escape(true, negated);
    const char32_t one = read_character();
    return {{one, one}};
  }

  /// `negated`: what is read is taken away from something.
  CodePoints read_escape(bool in_class, bool negated) {
    ++at_;
    if (at_ >= text_.size()) refuse("expected a character behind '\\'");
    const char letter = text_[at_];
    const bool is_small = letter >= 'a' && letter <= 'z';
    const bool wide = (reading_ == PatternReading::possible) != negated;
    const auto shorthand = [&](CodePoints certain, const CodePoints& doubtful) {
      ++at_;
      if (wide == is_small) certain.add(doubtful);
      return is_small ? certain : certain.complement();
    };
    const CodePoints::Range beyond{0x80, CodePoints::kLargest};
    switch (letter) {
      case 'd':
      case 'D': return shorthand({{'0', '9'}}, {beyond});
      case 'w':
      case 'W': return shorthand({{'0', '9'}, {'A', 'Z'}, {'a', 'z'}, {'_', '_'}}, {beyond});
      case 's':
      case 'S': return shorthand({{'\t', '\r'}, {' ', ' '}}, {{0x1C, 0x1F}, beyond});
      default: break;
    }
    const char32_t one = read_escaped_character(in_class);
    return {{one, one}};
  }

  char32_t read_escaped_character(bool in_class) {
    const char letter = text_[at_];
    const std::size_t plain = std::string_view("tnvfr").find(letter);
    if (plain != std::string_view::npos) return ++at_, static_cast<char32_t>("\t\n\v\f\r"[plain]);
    if (letter == 'b' && in_class) return ++at_, char32_t{8};
    if (letter == 'x') return ++at_, read_hex(2);
    if (letter == 'u') {
      ++at_;
      if (take("{")) {
        const char32_t value = read_hex(text_.find('}', at_) - at_);
        if (!take("}")) refuse("expected '}'");
        return value;
      }
      const char32_t high = read_hex(4);
      if (high < 0xD800 || high > 0xDFFF) return high;
      if (high > 0xDBFF || !take("\\u")) refuse("a half of a character");
      const char32_t low = read_hex(4);
      if (low < 0xDC00 || low > 0xDFFF) refuse("a half of a character");
      return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    }
    const bool is_letter = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
    const bool is_digit = letter >= '0' && letter <= '9';
    const bool is_zero = letter == '0' && !(at_ + 1 < text_.size() && text_[at_ + 1] >= '0' && text_[at_ + 1] <= '9');
    if (is_zero) return ++at_, char32_t{0};
    if (is_letter || is_digit) refuse(concat("'\\", std::string(1, letter), "' is not supported"));
    return read_character();
  }

  char32_t read_hex(std::size_t digits) {
    char32_t value = 0;
    if (digits == 0 || digits > 6 || at_ + digits > text_.size()) refuse("expected hexadecimal digits");
    for (std::size_t index = 0; index < digits; ++index, ++at_) {
      const std::size_t digit = std::string_view("0123456789abcdefABCDEF").find(text_[at_]);
      if (digit == std::string_view::npos) refuse("expected hexadecimal digits");
      value = value * 16 + static_cast<char32_t>(digit < 16 ? digit : digit - 6);
    }
    if (value > CodePoints::kLargest) refuse("there is no such character");
    return value;
  }

  std::string_view text_;
  PatternReading reading_;
  std::size_t at_ = 0;
  std::vector<Part> parts_;
  Id root_ = 0;
};

}  // namespace flashlm::inline v0::text
