// SPDX-License-Identifier: Apache-2.0
/// checksum.hpp: CRC-32, the checksum of every file of a model folder.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace flashlm::inline v0::storage {

namespace detail {

/// kCrcTables[k][b] is the CRC of byte b followed by k zero bytes.
inline constexpr auto kCrcTables = [] {
  std::array<std::array<std::uint32_t, 256>, 16> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1u) ? 0xedb88320u : 0u);
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < 16; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t crc = tables[k - 1][byte];
      tables[k][byte] = (crc >> 8) ^ tables[0][crc & 0xffu];
    }
  }
  return tables;
}();

/// Four bytes as a little-endian number, on every machine.
inline std::uint32_t load_u32(const std::byte* at) noexcept {
  return std::to_integer<std::uint32_t>(at[0]) | std::to_integer<std::uint32_t>(at[1]) << 8 |
         std::to_integer<std::uint32_t>(at[2]) << 16 | std::to_integer<std::uint32_t>(at[3]) << 24;
}

/// The CRC of four bytes that `Behind` more bytes follow.
template <std::size_t Behind>
std::uint32_t crc_word(std::uint32_t word) noexcept {
  return kCrcTables[Behind + 3][word & 0xffu] ^ kCrcTables[Behind + 2][(word >> 8) & 0xffu] ^
         kCrcTables[Behind + 1][(word >> 16) & 0xffu] ^ kCrcTables[Behind][word >> 24];
}

}  // namespace detail

/// CRC-32 of IEEE 802.3, as zlib and Python's `zlib.crc32` compute it; slicing by 16 (after Kounavis and Berry, 2005).
///
/// It chains: crc32(b, crc32(a)) is the checksum of a followed by b. Thread-safe.
inline std::uint32_t crc32(std::span<const std::byte> bytes, std::uint32_t seed = 0) noexcept {
  const auto& tables = detail::kCrcTables;
  std::uint32_t crc = ~seed;
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 16; left -= 16, at += 16) {
    // Four words that do not wait for each other; only the first meets the checksum so far.
    crc = detail::crc_word<12>(detail::load_u32(at) ^ crc) ^ detail::crc_word<8>(detail::load_u32(at + 4)) ^
          detail::crc_word<4>(detail::load_u32(at + 8)) ^ detail::crc_word<0>(detail::load_u32(at + 12));
  }
  for (; left > 0; --left, ++at) crc = (crc >> 8) ^ tables[0][(crc ^ std::to_integer<std::uint32_t>(*at)) & 0xffu];
  return ~crc;
}

/// Eight lower-case hexadecimal digits, the most significant first.
inline std::string crc32_hex(std::uint32_t crc) {
  std::string text(8, '0');
  for (std::size_t digit = 0; digit < 8; ++digit) text[digit] = "0123456789abcdef"[(crc >> (28 - 4 * digit)) & 0xfu];
  return text;
}

}  // namespace flashlm::inline v0::storage
