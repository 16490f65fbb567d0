// SPDX-License-Identifier: Apache-2.0
/// caseless.hpp: text in a form in which case does not count, nor whether an accent is part of a
/// letter or follows it.
///
/// Unicode's canonical caseless matching (section 3.13, D145): decomposed, folded, decomposed
/// again. No language's own rules, and no compatibility forms.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

namespace detail {

struct Decomposition {
  std::uint32_t code;
  std::uint32_t first;
  std::uint32_t second;  // 0: none
};

struct MarkClass {
  std::uint32_t first;
  std::uint32_t last;
  std::uint32_t order;
};

/// Every `stride`-th code point from `first` to `last` folds to the one that is `distance` further.
struct FoldRange {
  std::uint32_t first;
  std::uint32_t last;
  std::uint32_t stride;
  std::int32_t distance;
};

struct LongFold {
  std::uint32_t code;
  std::uint32_t first;
  std::uint32_t second;
  std::uint32_t third;  // 0: none
};

#include "flashlm/tools/http/fold_tables.inc"

std::u32string decomposed(std::u32string_view text);

}  // namespace detail

/// Whether the character is a mark on the letter before it, such as an accent.
bool is_mark(char32_t code) noexcept;

/// The code points of UTF-8; what is none is U+FFFD.
std::u32string code_points(std::string_view bytes);

/// The text so that two texts are equal where only case or the way of writing accents differs.
std::u32string caseless(std::u32string_view text);

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/http/caseless.ipp"
#endif
