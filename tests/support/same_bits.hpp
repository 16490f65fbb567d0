// SPDX-License-Identifier: Apache-2.0
/// same_bits.hpp: numbers that are equal to the last bit, zeros with their signs and NaN too.
#pragma once

#include <cstring>
#include <span>

namespace support {

inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

}  // namespace support
