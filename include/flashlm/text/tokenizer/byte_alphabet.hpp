// SPDX-License-Identifier: Apache-2.0
/// byte_alphabet.hpp: GPT-2's alphabet, in which byte-level vocabularies write bytes.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

namespace detail {

/// GPT-2's alphabet (bytes_to_unicode): each byte is written as one printable character. Printable
/// Latin-1 stands for itself, the other 68 bytes are U+0100 and on.
constexpr std::array<char32_t, 256> byte_alphabet() noexcept {
  std::array<char32_t, 256> alphabet{};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable =
        (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    alphabet[byte] = printable ? byte : next++;
  }
  return alphabet;
}

inline constexpr std::array<char32_t, 256> kByteAlphabet = byte_alphabet();

}  // namespace detail

/// The bytes that `written` stands for in GPT-2's alphabet, or nothing if a character is not of the
/// alphabet.
std::optional<std::string> alphabet_to_bytes(std::string_view written);

/// How the alphabet writes some bytes.
std::string bytes_to_alphabet(std::string_view bytes);

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/tokenizer/byte_alphabet.ipp"
#endif
