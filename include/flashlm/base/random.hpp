// SPDX-License-Identifier: Apache-2.0
/// random.hpp: a small random generator whose sequence is the same on every machine.
#pragma once

#include <bit>
#include <cstdint>

namespace flashlm::inline v0 {

/// xoshiro256** (Blackman and Vigna, 2018), its state filled by splitmix64 from `seed`. Not thread-safe.
class Random {
 public:
  explicit Random(std::uint64_t seed = 0) noexcept {
    for (std::uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15u;
      std::uint64_t mixed = seed;
      mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
      mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
      word = mixed ^ (mixed >> 31);
    }
  }

  /// 64 random bits.
  std::uint64_t next() noexcept {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// Uniform in [0, 1), with 53 random bits.
  double uniform() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  /// Uniform in [low, high).
  float uniform(float low, float high) noexcept {
    return static_cast<float>(low + (static_cast<double>(high) - low) * uniform());
  }

 private:
  std::uint64_t state_[4];
};

}  // namespace flashlm::inline v0
