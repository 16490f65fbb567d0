// SPDX-License-Identifier: Apache-2.0
/// pattern.ipp: the bodies of pattern.hpp.
#pragma once

#include "flashlm/text/grammar/automaton/pattern.hpp"

#include <algorithm>
#include <string>

#include "flashlm/base/error.hpp"
#include "flashlm/text/unicode/utf8.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE Pattern::Pattern(std::string_view text, PatternReading reading)
    : text_(text), reading_(reading) {
  if (!is_utf8(text)) refuse("expected UTF-8");
  root_ = read_alternatives(0);
  if (at_ < text_.size()) refuse("expected no ')' here");
}

FLASHLM_INLINE void Pattern::refuse(std::string_view problem) const {
  throw FormatError(concat("[pattern] at byte ", at_, ": ", problem));
}

FLASHLM_INLINE Pattern::Id Pattern::add(Part part) {
  parts_.push_back(std::move(part));
  return static_cast<Id>(parts_.size() - 1);
}

FLASHLM_INLINE bool Pattern::take(std::string_view word) {
  if (!is_next(word)) return false;
  at_ += word.size();
  return true;
}

FLASHLM_INLINE Pattern::Id Pattern::read_alternatives(int depth) {
  if (depth > kDeepest) refuse("groups are nested too deep");
  Part either{.kind = Part::Kind::either};
  do {
    Part sequence;
    while (at_ < text_.size() && !is_next("|") && !is_next(")"))
      sequence.parts.push_back(read_term(depth));
    either.parts.push_back(add(std::move(sequence)));
  } while (take("|"));
  return either.parts.size() == 1 ? either.parts.front() : add(std::move(either));
}

FLASHLM_INLINE Pattern::Id Pattern::read_term(int depth) {
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

FLASHLM_INLINE bool Pattern::is_quantifier() const {
  std::size_t at = at_;
  std::pair<std::uint32_t, std::uint32_t> rounds;
  return is_next("*") || is_next("+") || is_next("?") || bounds(at, rounds);
}

FLASHLM_INLINE std::pair<std::uint32_t, std::uint32_t> Pattern::read_quantifier() {
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

FLASHLM_INLINE bool Pattern::bounds(std::size_t& at,
                                    std::pair<std::uint32_t, std::uint32_t>& rounds) const {
  std::size_t next = at;
  const auto number = [&](std::uint32_t& value) {
    const std::size_t begin = next;
    value = 0;
    for (; next < text_.size() && text_[next] >= '0' && text_[next] <= '9'; ++next) {
      value = std::min(value * 10 + static_cast<std::uint32_t>(text_[next] - '0'), kMostRounds + 1);
    }
    return next > begin;
  };
  const auto sign = [&](char wanted) {
    return next < text_.size() && text_[next] == wanted && ++next > 0;
  };
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

FLASHLM_INLINE Pattern::Id Pattern::read_atom(int depth) {
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

FLASHLM_INLINE CodePoints Pattern::read_set() {
  if (take(".")) {
    if (reading_ == PatternReading::possible) return CodePoints::all();
    return CodePoints{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}.complement();
  }
  if (take("[")) return read_class();
  if (is_next("\\")) return read_escape(false, false);
  const char32_t one = read_character();
  return {{one, one}};
}

FLASHLM_INLINE char32_t Pattern::read_character() {
  const Utf8Step step = utf8_step(text_.substr(at_));
  at_ += step.length;
  return step.code;
}

FLASHLM_INLINE CodePoints Pattern::read_class() {
  const bool negated = take("^");
  if (is_next("]")) refuse("an empty class is not supported");
  CodePoints set;
  while (!take("]")) {
    if (at_ >= text_.size()) refuse("expected ']'");
    const bool one_left = !is_shorthand();
    const CodePoints left = read_member(negated);
    const bool is_range =
        one_left && is_next("-") && at_ + 1 < text_.size() && text_[at_ + 1] != ']';
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

FLASHLM_INLINE bool Pattern::is_shorthand() const {
  return is_next("\\") && at_ + 1 < text_.size() &&
         std::string_view("dDwWsS").find(text_[at_ + 1]) != std::string_view::npos;
}

FLASHLM_INLINE CodePoints Pattern::read_member(bool negated) {
  if (is_next("\\")) return read_escape(true, negated);
  const char32_t one = read_character();
  return {{one, one}};
}

FLASHLM_INLINE CodePoints Pattern::read_escape(bool in_class, bool negated) {
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

FLASHLM_INLINE char32_t Pattern::read_escaped_character(bool in_class) {
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
  const bool is_zero =
      letter == '0' && !(at_ + 1 < text_.size() && text_[at_ + 1] >= '0' && text_[at_ + 1] <= '9');
  if (is_zero) return ++at_, char32_t{0};
  if (is_letter || is_digit) refuse(concat("'\\", std::string(1, letter), "' is not supported"));
  return read_character();
}

FLASHLM_INLINE char32_t Pattern::read_hex(std::size_t digits) {
  char32_t value = 0;
  if (digits == 0 || digits > 6 || at_ + digits > text_.size())
    refuse("expected hexadecimal digits");
  for (std::size_t index = 0; index < digits; ++index, ++at_) {
    const std::size_t digit = std::string_view("0123456789abcdefABCDEF").find(text_[at_]);
    if (digit == std::string_view::npos) refuse("expected hexadecimal digits");
    value = value * 16 + static_cast<char32_t>(digit < 16 ? digit : digit - 6);
  }
  if (value > CodePoints::kLargest) refuse("there is no such character");
  return value;
}

}  // namespace flashlm::inline FLASHLM_ABI::text
