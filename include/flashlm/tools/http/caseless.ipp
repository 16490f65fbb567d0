// SPDX-License-Identifier: Apache-2.0
/// caseless.ipp: the bodies of caseless.hpp.
#pragma once

#include "flashlm/tools/http/caseless.hpp"

#include <algorithm>

#include "flashlm/text/unicode/utf8.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

namespace detail {

/// The canonical combining class: marks of one class keep their order, others are sorted by it; 0
/// is no such mark.
inline std::uint32_t mark_class(char32_t code) noexcept {
  const auto* found =
      std::lower_bound(std::begin(kMarkClasses), std::end(kMarkClasses), code,
                       [](const MarkClass& range, char32_t wanted) { return range.last < wanted; });
  return found != std::end(kMarkClasses) && found->first <= code ? found->order : 0;
}

inline void append_decomposed(std::u32string& text, char32_t code) {
  constexpr char32_t kHangul = 0xac00;
  if (code < 0x80) {
    text += code;
    return;
  }
  if (code >= kHangul && code < kHangul + 11172) {  // a syllable of Korean: two letters or three
    const char32_t index = code - kHangul;
    text += 0x1100 + index / 588;
    text += 0x1161 + index % 588 / 28;
    if (index % 28 != 0) text += 0x11a7 + index % 28;
    return;
  }
  const auto* found = std::lower_bound(
      std::begin(kDecompositions), std::end(kDecompositions), code,
      [](const Decomposition& each, char32_t wanted) { return each.code < wanted; });
  if (found == std::end(kDecompositions) || found->code != code) {
    text += code;
    return;
  }
  append_decomposed(text, found->first);  // at most four deep
  if (found->second != 0) text += found->second;
}

inline void append_folded(std::u32string& text, char32_t code) {
  const auto* range =
      std::lower_bound(std::begin(kFolds), std::end(kFolds), code,
                       [](const FoldRange& each, char32_t wanted) { return each.last < wanted; });
  if (range != std::end(kFolds) && range->first <= code &&
      (code - range->first) % range->stride == 0) {
    text += static_cast<char32_t>(static_cast<std::int32_t>(code) + range->distance);
    return;
  }
  const auto* several =
      std::lower_bound(std::begin(kLongFolds), std::end(kLongFolds), code,
                       [](const LongFold& each, char32_t wanted) { return each.code < wanted; });
  if (several == std::end(kLongFolds) || several->code != code) {
    text += code;
    return;
  }
  text += several->first;
  text += several->second;
  if (several->third != 0) text += several->third;
}

FLASHLM_INLINE std::u32string decomposed(std::u32string_view text) {
  std::u32string result;
  for (const char32_t code : text) append_decomposed(result, code);
  for (auto at = result.begin(); at != result.end();) {
    if (mark_class(*at) == 0) {
      ++at;
      continue;
    }
    const auto end =
        std::find_if(at, result.end(), [](char32_t code) { return mark_class(code) == 0; });
    std::stable_sort(at, end, [](char32_t left, char32_t right) {
      return mark_class(left) < mark_class(right);
    });
    at = end;
  }
  return result;
}

}  // namespace detail

FLASHLM_INLINE bool is_mark(char32_t code) noexcept { return detail::mark_class(code) != 0; }

FLASHLM_INLINE std::u32string code_points(std::string_view bytes) {
  std::u32string text;
  while (!bytes.empty()) {
    const text::Utf8Step step = text::utf8_step(bytes);
    text += step.code;
    bytes.remove_prefix(step.length);
  }
  return text;
}

FLASHLM_INLINE std::u32string caseless(std::u32string_view text) {
  std::u32string folded;
  for (const char32_t code : detail::decomposed(text)) detail::append_folded(folded, code);
  return detail::decomposed(folded);
}

}  // namespace flashlm::inline FLASHLM_ABI::tools
