// SPDX-License-Identifier: Apache-2.0
/// unicode.hpp: the character classes that pre-tokenizers ask for.
///
/// The classes are those of the Hugging Face `tokenizers` library, code point by code point,
/// because a model was trained with its splits. Its regex engine (`\p{L}`, `\p{N}`, `\s`) and its
/// standard library (`Digits`) know different Unicode versions, hence two classes of numbers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

namespace detail {

/// A closed range of code points.
struct CodeRange {
  std::uint32_t first;
  std::uint32_t last;
};

#include "flashlm/text/tokenizer/unicode_tables.inc"

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

/// `\p{L}`.
constexpr bool is_letter(char32_t code) noexcept {
  if (code < 0x80) return (code | 0x20) >= 'a' && (code | 0x20) <= 'z';
  return detail::contains(detail::kLetters, code);
}

/// `\p{N}`.
constexpr bool is_number(char32_t code) noexcept {
  if (code < 0x80) return code >= '0' && code <= '9';
  return detail::contains(detail::kNumbers, code);
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
