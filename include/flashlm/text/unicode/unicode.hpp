// SPDX-License-Identifier: Apache-2.0
/// unicode.hpp: the character classes that pre-tokenizers ask for.
///
/// The classes are those of the Hugging Face `tokenizers` library, code point by code point,
/// because a model was trained with its splits. Its regex engine (`\p{L}`, `\p{N}`, `\s`) and its
/// standard library (`Digits`) know different Unicode versions, hence two classes of numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// The general categories of Unicode.
enum class Category : std::uint8_t {
  Lu,
  Ll,
  Lt,
  Lm,
  Lo,
  Mn,
  Mc,
  Me,
  Nd,
  Nl,
  No,
  Pc,
  Pd,
  Ps,
  Pe,
  Pi,
  Pf,
  Po,
  Sm,
  Sc,
  Sk,
  So,
  Zs,
  Zl,
  Zp,
  Cc,
  Cf,
  Co,
  Cn,
};

namespace detail {

/// A closed range of code points.
struct CodeRange {
  std::uint32_t first;
  std::uint32_t last;
};

#include "flashlm/text/unicode/unicode_tables.inc"

template <std::size_t N>
constexpr bool contains(const CodeRange (&ranges)[N], char32_t code) noexcept {
  std::size_t low = 0;
  std::size_t high = N;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (ranges[middle].last < code) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < N && ranges[low].first <= code;
}

}  // namespace detail

/// The category of a character, as the regex engine of `tokenizers` knows it.
constexpr Category category(char32_t code) noexcept {
  std::size_t low = 0;  // the run that begins at or before `code` is in [low, high)
  std::size_t high = std::size(detail::kCategories);
  while (high - low > 1) {
    const std::size_t middle = (low + high) / 2;
    (detail::kCategories[middle] >> 5 <= code ? low : high) = middle;
  }
  return static_cast<Category>(detail::kCategories[low] & 31);
}

/// Categories as bits.
using Categories = std::uint32_t;

constexpr Categories bit(Category one) noexcept { return Categories{1} << static_cast<int>(one); }

/// All categories from `first` to `last`.
constexpr Categories from_to(Category first, Category last) noexcept {
  return 2 * bit(last) - bit(first);
}

inline constexpr Categories kLetters = from_to(Category::Lu, Category::Lo);
inline constexpr Categories kMarks = from_to(Category::Mn, Category::Me);
inline constexpr Categories kNumbers = from_to(Category::Nd, Category::No);
inline constexpr Categories kPunctuation = from_to(Category::Pc, Category::Po);
inline constexpr Categories kSymbols = from_to(Category::Sm, Category::So);

/// `\p{L}`.
constexpr bool is_letter(char32_t code) noexcept {
  if (code < 0x80) return (code | 0x20) >= 'a' && (code | 0x20) <= 'z';
  return (bit(category(code)) & kLetters) != 0;
}

/// `\p{N}`.
constexpr bool is_number(char32_t code) noexcept {
  if (code < 0x80) return code >= '0' && code <= '9';
  return (bit(category(code)) & kNumbers) != 0;
}

/// What the pre-tokenizer `Punctuation` looks for.
constexpr bool is_punctuation(char32_t code) noexcept {
  return detail::contains(detail::kPunctuations, code);
}

/// What the pre-tokenizer `Digits` cuts off: Unicode's Nd, Nl and No.
constexpr bool is_numeric(char32_t code) noexcept {
  if (code < 0x80) return code >= '0' && code <= '9';
  return detail::contains(detail::kNumerics, code);
}

/// `\s`.
constexpr bool is_space(char32_t code) noexcept {
  if (code < 0x80) return code == ' ' || (code >= '\t' && code <= '\r');
  return detail::contains(detail::kSpaces, code);
}

/// `\w`: what may not touch an added token that is a `single_word`.
constexpr bool is_word(char32_t code) noexcept {
  if (code < 0x80) return is_letter(code) || is_number(code) || code == '_';
  return detail::contains(detail::kWords, code);
}

}  // namespace flashlm::inline FLASHLM_ABI::text
