// SPDX-License-Identifier: Apache-2.0
/// options.ipp: the bodies of options.hpp.
#pragma once

#include "flashlm/text/options.hpp"

#include <algorithm>
#include <cstddef>

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE bool is_word(std::string_view text, std::string_view words) {
  for (std::size_t begin = 0; begin < words.size();) {
    const std::size_t end = std::min(words.find(", ", begin), words.size());
    if (words.substr(begin, end - begin) == text) return true;
    begin = end + 2;
  }
  return false;
}

FLASHLM_INLINE std::string listed(std::string_view words) {
  const std::size_t last = words.rfind(", ");
  if (last == std::string_view::npos) return std::string(words);
  return concat(words.substr(0, last), " or ", words.substr(last + 2));
}

}  // namespace flashlm::inline FLASHLM_ABI::text
