// SPDX-License-Identifier: Apache-2.0
/// kv_head.ipp: the bodies of kv_head.hpp.
#pragma once

#include "flashlm/model/kv/kv_head.hpp"

#include <cstring>
#include <span>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/storage/format/checksum.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_ONCE std::uint64_t kv_rows_begin(std::uint64_t n_tokens) noexcept {
  return (kKvHeadBytes + n_tokens * sizeof(Token) + kKvAlignment - 1) / kKvAlignment * kKvAlignment;
}

FLASHLM_ONCE std::array<std::byte, kKvHeadBytes> kv_head(const KvRange& range, const KvCache& kv) {
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
  for (const std::size_t value : {kv.n_layers(), kv.n_kv_heads(), kv.head_dim()})
    put_number(value, 4);
  put_number(row_bytes(kv.dtype(), 1), 4);
  at = head.data() + kKvHeadBytes - 4;
  put_number(storage::crc32(std::span(head).first(kKvHeadBytes - 4)), 4);
  return head;
}

FLASHLM_ONCE std::uint64_t kv_number(const std::byte* at, std::size_t n) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < n; ++i) value |= std::to_integer<std::uint64_t>(at[i]) << (8 * i);
  return value;
}

}  // namespace flashlm::inline FLASHLM_ABI::model
