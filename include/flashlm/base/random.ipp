// SPDX-License-Identifier: Apache-2.0
/// random.ipp: the bodies of random.hpp.
#pragma once

#include "flashlm/base/random.hpp"

#include <bit>

namespace flashlm::inline FLASHLM_ABI {

FLASHLM_INLINE Random::Random(std::uint64_t seed) noexcept {
  for (std::uint64_t& word : state_) {
    seed += 0x9e3779b97f4a7c15u;
    std::uint64_t mixed = seed;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    word = mixed ^ (mixed >> 31);
  }
}

FLASHLM_INLINE std::uint64_t Random::next() noexcept {
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

FLASHLM_INLINE float Random::uniform(float low, float high) noexcept {
  return static_cast<float>(low + (static_cast<double>(high) - low) * uniform());
}

}  // namespace flashlm::inline FLASHLM_ABI
