// SPDX-License-Identifier: Apache-2.0
/// checksum.ipp: the bodies of checksum.hpp.
#pragma once

#include "flashlm/storage/format/checksum.hpp"

#include <array>
#include <cstring>

#include "flashlm/compute/cpu/isa/cpu.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

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

FLASHLM_INLINE std::uint32_t crc_by_tables(std::span<const std::byte> bytes,
                                           std::uint32_t crc) noexcept {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 16; left -= 16, at += 16) {
    // Four words that do not wait for each other; only the first meets the checksum so far.
    crc = crc_word<12>(load_u32(at) ^ crc) ^ crc_word<8>(load_u32(at + 4)) ^
          crc_word<4>(load_u32(at + 8)) ^ crc_word<0>(load_u32(at + 12));
  }
  for (; left > 0; --left, ++at)
    crc = (crc >> 8) ^ kCrcTables[0][(crc ^ std::to_integer<std::uint32_t>(*at)) & 0xffu];
  return crc;
}

#if defined(__x86_64__)
typedef long long CrcPair
    __attribute__((vector_size(16)));  // 128 bits of the message, the first one lowest

/// x^n modulo the polynomial, as a factor that moves 64 bits of the message: bits reversed, one
/// place up.
constexpr long long crc_factor(int n) noexcept {
  std::uint32_t power = 0x80000000u;
  for (int i = 0; i < n; ++i) power = (power >> 1) ^ ((power & 1u) ? 0xedb88320u : 0u);
  return static_cast<long long>(power) << 1;
}

/// The same as `crc_by_tables`, for at least 64 bytes: four lanes of 16 bytes are multiplied
/// without carries onto the bytes 64 later (after Gopal et al., "Fast CRC computation using
/// PCLMULQDQ", 2009). Some four times as fast.
__attribute__((target("pclmul,sse4.1"))) inline std::uint32_t crc_by_products(
    std::span<const std::byte> bytes, std::uint32_t crc) noexcept {
  constexpr CrcPair kBy64{crc_factor(4 * 128 + 32), crc_factor(4 * 128 - 32)};
  constexpr CrcPair kBy16{crc_factor(128 + 32), crc_factor(128 - 32)};
  const std::byte* at = bytes.data();
  CrcPair lanes[4];
  std::memcpy(lanes, at, sizeof lanes);
  lanes[0][0] ^= static_cast<long long>(crc);
  std::size_t left = bytes.size() - sizeof lanes;
  for (at += sizeof lanes; left >= sizeof lanes; left -= sizeof lanes, at += sizeof lanes) {
    CrcPair next[4];
    std::memcpy(next, at, sizeof next);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      lanes[i] = next[i] ^
                 static_cast<CrcPair>(__builtin_ia32_pclmulqdq128(lanes[i], kBy64, 0x00)) ^
                 static_cast<CrcPair>(__builtin_ia32_pclmulqdq128(lanes[i], kBy64, 0x11));
    }
  }
  CrcPair sum = lanes[0];
  for (int i = 1; i < 4; ++i) {
    sum = lanes[i] ^ static_cast<CrcPair>(__builtin_ia32_pclmulqdq128(sum, kBy16, 0x00)) ^
          static_cast<CrcPair>(__builtin_ia32_pclmulqdq128(sum, kBy16, 0x11));
  }
  // What is left has the same remainder as all that was read.
  return crc_by_tables({at, left}, crc_by_tables(std::as_bytes(std::span(&sum, 1)), 0));
}

#endif

}  // namespace detail

FLASHLM_INLINE std::uint32_t crc32(std::span<const std::byte> bytes, std::uint32_t seed) noexcept {
#if defined(__x86_64__)
  static const bool multiplies =
      __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
  if (multiplies && bytes.size() >= 64) return ~detail::crc_by_products(bytes, ~seed);
#endif
  return ~detail::crc_by_tables(bytes, ~seed);
}

FLASHLM_INLINE std::string crc32_hex(std::uint32_t crc) {
  std::string text(8, '0');
  for (std::size_t digit = 0; digit < 8; ++digit)
    text[digit] = "0123456789abcdef"[(crc >> (28 - 4 * digit)) & 0xfu];
  return text;
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
