// SPDX-License-Identifier: Apache-2.0
/// kv_head.hpp: the first bytes of a KV file (docs/format.md, "A KV file").
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/model/kv_cache.hpp"
#include "flashlm/storage/checksum.hpp"
#include "flashlm/storage/sha256.hpp"

namespace flashlm::inline v0::model {

inline constexpr std::size_t kKvHeadBytes = 128;
inline constexpr std::size_t kKvAlignment = 4096;  // of the rows
inline constexpr std::array<char, 8> kKvMagic{'F', 'L', 'A', 'S', 'H', 'K', 'V', '1'};

/// Which tokens, of which model: positions [first, first + n_tokens) of a text.
struct KvRange {
  storage::Digest model{};   // kv_fingerprint
  storage::Digest before{};  // SHA-256 of tokens [0, first), four bytes each
  std::uint64_t first = 0;
  std::uint64_t n_tokens = 0;

  friend bool operator==(const KvRange&, const KvRange&) noexcept = default;
};

/// Where the rows of so many tokens begin.
inline std::uint64_t kv_rows_begin(std::uint64_t n_tokens) noexcept {
  return (kKvHeadBytes + n_tokens * sizeof(Token) + kKvAlignment - 1) / kKvAlignment * kKvAlignment;
}

/// The head of a file of `range` of a cache shaped like `kv`, with its own checksum.
inline std::array<std::byte, kKvHeadBytes> kv_head(const KvRange& range, const KvCache& kv) {
  std::array<std::byte, kKvHeadBytes> head{};
  std::byte* at = head.data();
  const auto put = [&at](const void* from, std::size_t n) {
    std::memcpy(at, from, n);
    at += n;
  };
  const auto put_number = [&at](std::uint64_t value, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) *at++ = static_cast<std::byte>(value >> (8 * i));
  };
  put(kKvMagic.data(), kKvMagic.size());
  put(range.model.data(), range.model.size());
  put(range.before.data(), range.before.size());
  put_number(range.first, 8);
  put_number(range.n_tokens, 8);
  for (const std::size_t value : {kv.n_layers(), kv.n_kv_heads(), kv.head_dim()}) put_number(value, 4);
  put_number(row_bytes(kv.dtype(), 1), 4);
  at = head.data() + kKvHeadBytes - 4;
  put_number(storage::crc32(std::span(head).first(kKvHeadBytes - 4)), 4);
  return head;
}

/// A little-endian number of `n` bytes.
inline std::uint64_t kv_number(const std::byte* at, std::size_t n) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < n; ++i) value |= std::to_integer<std::uint64_t>(at[i]) << (8 * i);
  return value;
}

}  // namespace flashlm::inline v0::model
