// SPDX-License-Identifier: Apache-2.0
/// kv_head.hpp: the first bytes of a KV file (docs/format.md, "A KV file").
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "flashlm/model/kv/kv_cache.hpp"
#include "flashlm/storage/format/sha256.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

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
std::uint64_t kv_rows_begin(std::uint64_t n_tokens) noexcept;

/// The head of a file of `range` of a cache shaped like `kv`, with its own checksum.
std::array<std::byte, kKvHeadBytes> kv_head(const KvRange& range, const KvCache& kv);

/// A little-endian number of `n` bytes.
std::uint64_t kv_number(const std::byte* at, std::size_t n) noexcept;

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/kv/kv_head.ipp"
#endif
