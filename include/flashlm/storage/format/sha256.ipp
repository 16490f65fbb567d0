// SPDX-License-Identifier: Apache-2.0
/// sha256.ipp: the bodies of sha256.hpp.
#pragma once

#include "flashlm/storage/format/sha256.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace flashlm::inline FLASHLM_ABI::storage {

FLASHLM_INLINE std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::byte byte : bytes) {
    text += "0123456789abcdef"[std::to_integer<unsigned>(byte) >> 4];
    text += "0123456789abcdef"[std::to_integer<unsigned>(byte) & 15u];
  }
  return text;
}

FLASHLM_INLINE void Sha256::update(std::span<const std::byte> bytes) noexcept {
  length_ += bytes.size();
  while (!bytes.empty()) {
    const std::size_t n = std::min(bytes.size(), block_.size() - filled_);
    std::memcpy(block_.data() + filled_, bytes.data(), n);
    filled_ += n;
    bytes = bytes.subspan(n);
    if (filled_ == block_.size()) compress();
  }
}

FLASHLM_INLINE Digest Sha256::digest() const noexcept {
  Sha256 last = *this;
  const std::uint64_t bits = length_ * 8;
  last.block_[last.filled_++] = std::byte{0x80};
  if (last.filled_ > 56) last.pad_and_compress();
  std::fill(last.block_.begin() + static_cast<std::ptrdiff_t>(last.filled_), last.block_.end() - 8,
            std::byte{0});
  for (std::size_t i = 0; i < 8; ++i)
    last.block_[56 + i] = static_cast<std::byte>(bits >> (56 - 8 * i));
  last.compress();
  Digest result;
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i] = static_cast<std::byte>(last.state_[i / 4] >> (24 - 8 * (i % 4)));
  }
  return result;
}

FLASHLM_INLINE void Sha256::pad_and_compress() noexcept {
  std::fill(block_.begin() + static_cast<std::ptrdiff_t>(filled_), block_.end(), std::byte{0});
  compress();
}

FLASHLM_INLINE void Sha256::compress() noexcept {
  std::array<std::uint32_t, 64> w;
  for (std::size_t t = 0; t < 16; ++t) {
    w[t] = 0;
    for (std::size_t i = 0; i < 4; ++i)
      w[t] = w[t] << 8 | std::to_integer<std::uint32_t>(block_[4 * t + i]);
  }
  for (std::size_t t = 16; t < 64; ++t) {
    const std::uint32_t s0 = std::rotr(w[t - 15], 7) ^ std::rotr(w[t - 15], 18) ^ (w[t - 15] >> 3);
    const std::uint32_t s1 = std::rotr(w[t - 2], 17) ^ std::rotr(w[t - 2], 19) ^ (w[t - 2] >> 10);
    w[t] = w[t - 16] + s0 + w[t - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state_;
  for (std::size_t t = 0; t < 64; ++t) {
    const std::uint32_t sum1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const std::uint32_t first = h + sum1 + ((e & f) ^ (~e & g)) + kConstants[t] + w[t];
    const std::uint32_t sum0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const std::uint32_t second = sum0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + first, d = c, c = b, b = a, a = first + second;
  }
  const std::array<std::uint32_t, 8> mixed{a, b, c, d, e, f, g, h};
  for (std::size_t i = 0; i < 8; ++i) state_[i] += mixed[i];
  filled_ = 0;
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
