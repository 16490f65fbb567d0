// SPDX-License-Identifier: Apache-2.0
/// gzip.hpp: gzip files made by hand, honest ones and bombs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "flashlm/storage/format/checksum.hpp"

namespace support {

namespace detail {
inline constexpr std::string_view kGzipHead("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);

inline void append_little_endian(std::string& out, std::uint32_t number, int n_bytes) {
  for (int i = 0; i < n_bytes; ++i)
    out += static_cast<char>(static_cast<unsigned char>(number >> (8 * i)));
}
}  // namespace detail

/// `text`, at most 65,535 bytes, as one stored block (RFC 1951, 3.2.4; RFC 1952).
inline std::string gzip(std::string_view text) {
  std::string out(detail::kGzipHead);
  out += '\x01';
  const auto length = static_cast<std::uint32_t>(text.size());
  detail::append_little_endian(out, length, 2);
  detail::append_little_endian(out, ~length, 2);
  out += text;
  detail::append_little_endian(out, flashlm::storage::crc32(std::as_bytes(std::span(text))), 4);
  detail::append_little_endian(out, length, 4);
  return out;
}

/// At least `n_bytes` equal bytes in a hundredth of that: one literal, then copies of 258 bytes
/// from one byte back, in fixed codes (RFC 1951, 3.2.6). The check sum at the end is wrong.
inline std::string gzip_bomb(std::size_t n_bytes) {
  std::string out(detail::kGzipHead);
  unsigned buffer = 0;
  int filled = 0;
  const auto put = [&](unsigned bit) {
    buffer |= bit << filled;
    if (++filled == 8) {
      out += static_cast<char>(buffer);
      buffer = 0;
      filled = 0;
    }
  };
  const auto code = [&](unsigned bits, int n_bits) {
    for (int i = n_bits - 1; i >= 0; --i) put((bits >> i) & 1);
  };
  for (const unsigned bit : {1u, 1u, 0u}) put(bit);  // the last block, fixed codes
  code(0x30 + 'a', 8);
  for (std::size_t made = 1; made < n_bytes; made += 258) {
    code(0xc5, 8);  // length 258
    code(0, 5);     // distance 1
  }
  code(0, 7);
  while (filled != 0) put(0);
  return out + std::string(8, '\0');
}

}  // namespace support
