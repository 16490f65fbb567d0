// SPDX-License-Identifier: Apache-2.0
/// random.hpp: a small random generator whose sequence is the same on every machine.
#pragma once

#include <cstdint>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI {

/// xoshiro256** (Blackman and Vigna, 2018), its state filled by splitmix64 from `seed`. Not
/// thread-safe.
class Random {
 public:
  explicit Random(std::uint64_t seed = 0) noexcept;

  /// 64 random bits.
  std::uint64_t next() noexcept;

  /// Uniform in [0, 1), with 53 random bits.
  double uniform() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  /// Uniform in [low, high).
  float uniform(float low, float high) noexcept;

 private:
  std::uint64_t state_[4];
};

}  // namespace flashlm::inline FLASHLM_ABI

#if !defined(FLASHLM_COMPILED)
#include "flashlm/base/random.ipp"
#endif
