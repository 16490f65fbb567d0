// SPDX-License-Identifier: Apache-2.0
/// extent.hpp: runs of bytes in files.
#pragma once

#include <cstdint>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// The bytes [offset, offset + bytes) of a file.
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;

  constexpr std::uint64_t end() const noexcept { return offset + bytes; }
  constexpr bool empty() const noexcept { return bytes == 0; }

  /// Whether it lies inside the first `size` bytes, for any values: `offset + bytes` may overflow.
  constexpr bool inside(std::uint64_t size) const noexcept {
    return offset <= size && bytes <= size - offset;
  }

  /// Whether `other` lies inside.
  constexpr bool contains(const Extent& other) const noexcept {
    return other.offset >= offset && Extent{other.offset - offset, other.bytes}.inside(bytes);
  }

  /// The smallest extent around this one whose ends are multiples of `unit` (a power of two).
  constexpr Extent aligned(std::uint64_t unit) const noexcept {
    const std::uint64_t begin = offset & ~(unit - 1);
    return {begin, ((end() + unit - 1) & ~(unit - 1)) - begin};
  }

  friend constexpr bool operator==(const Extent&, const Extent&) noexcept = default;
};

/// A run of bytes in one of several files.
struct Place {
  std::uint32_t file = 0;  // index into the list of files
  Extent extent;

  friend constexpr bool operator==(const Place&, const Place&) noexcept = default;
};

}  // namespace flashlm::inline FLASHLM_ABI::storage
