// SPDX-License-Identifier: Apache-2.0
/// vocabulary.ipp: the bodies of vocabulary.hpp.
#pragma once

#include "flashlm/text/tokenizer/vocabulary.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE std::optional<char> byte_of(std::string_view written) {
  if (written.size() != 6 || written.substr(0, 3) != "<0x" || written.back() != '>') return {};
  unsigned value = 0;
  for (const char digit : written.substr(3, 2)) {
    const bool is_decimal = digit >= '0' && digit <= '9';
    if (!is_decimal && (digit < 'A' || digit > 'F')) return {};
    value = 16 * value + static_cast<unsigned>(is_decimal ? digit - '0' : digit - 'A' + 10);
  }
  return static_cast<char>(value);
}

FLASHLM_ONCE std::array<Token, 256> byte_tokens(const TokenMap& vocabulary) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::array<Token, 256> tokens;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const std::string written = {'<', '0', 'x', kDigits[byte / 16], kDigits[byte % 16], '>'};
    const auto found = vocabulary.find(written);
    tokens[byte] = found == vocabulary.end() ? -1 : found->second;
  }
  return tokens;
}

}  // namespace flashlm::inline FLASHLM_ABI::text
