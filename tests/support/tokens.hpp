// SPDX-License-Identifier: Apache-2.0
/// tokens.hpp: seeded random tokens of the tiny model's vocabulary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "flashlm/base/random.hpp"
#include "flashlm/base/token.hpp"

namespace support {

/// `n` bytes as tokens; never the end of a text.
inline std::vector<flashlm::Token> random_tokens(std::size_t n, std::uint64_t seed = 3) {
  flashlm::Random random(seed);
  std::vector<flashlm::Token> tokens(n);
  for (flashlm::Token& token : tokens) token = static_cast<flashlm::Token>(random.next() % 256);
  return tokens;
}

}  // namespace support
