// SPDX-License-Identifier: Apache-2.0
/// byte_alphabet.ipp: the bodies of byte_alphabet.hpp.
#pragma once

#include "flashlm/text/tokenizer/byte_alphabet.hpp"

#include <cstdint>

#include "flashlm/text/unicode/utf8.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

namespace detail {

/// The inverse: the byte of a character below U+0144, or -1.
constexpr std::array<std::int16_t, 0x144> alphabet_bytes() noexcept {
  std::array<std::int16_t, 0x144> bytes{};
  for (std::int16_t& byte : bytes) byte = -1;
  const std::array<char32_t, 256> alphabet = byte_alphabet();
  for (std::size_t byte = 0; byte < 256; ++byte)
    bytes[alphabet[byte]] = static_cast<std::int16_t>(byte);
  return bytes;
}

inline constexpr std::array<std::int16_t, 0x144> kAlphabetBytes = alphabet_bytes();

}  // namespace detail

FLASHLM_ONCE std::optional<std::string> alphabet_to_bytes(std::string_view written) {
  std::string bytes;
  while (!written.empty()) {
    const Utf8Step step = utf8_step(written);
    if (step.code >= detail::kAlphabetBytes.size() || detail::kAlphabetBytes[step.code] < 0)
      return std::nullopt;
    bytes += static_cast<char>(detail::kAlphabetBytes[step.code]);
    written.remove_prefix(step.length);
  }
  return bytes;
}

FLASHLM_INLINE std::string bytes_to_alphabet(std::string_view bytes) {
  std::string written;
  for (const char byte : bytes) {
    append_utf8(written, detail::kByteAlphabet[static_cast<unsigned char>(byte)]);
  }
  return written;
}

}  // namespace flashlm::inline FLASHLM_ABI::text
