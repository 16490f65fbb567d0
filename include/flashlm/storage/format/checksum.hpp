// SPDX-License-Identifier: Apache-2.0
/// checksum.hpp: CRC-32, the checksum of every file of a model folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

namespace detail {

/// The checksum's register after `bytes`, from `crc` on; slicing by 16 (after Kounavis and Berry,
/// 2005).
std::uint32_t crc_by_tables(std::span<const std::byte> bytes, std::uint32_t crc) noexcept;

}  // namespace detail

/// CRC-32 of IEEE 802.3, as zlib and Python's `zlib.crc32` compute it.
///
/// It chains: crc32(b, crc32(a)) is the checksum of a followed by b. Thread-safe.
std::uint32_t crc32(std::span<const std::byte> bytes, std::uint32_t seed = 0) noexcept;

/// Eight lower-case hexadecimal digits, the most significant first.
std::string crc32_hex(std::uint32_t crc);

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/format/checksum.ipp"
#endif
