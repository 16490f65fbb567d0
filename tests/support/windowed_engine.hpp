// SPDX-License-Identifier: Apache-2.0
/// windowed_engine.hpp: models of single neurons, and how near logits are.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "flashlm/base/dtype.hpp"
#include "support/same_bits.hpp"
#include "support/tiny_model.hpp"

namespace support::windowed {

inline constexpr std::size_t kVocab = TinyShape::kVocabSize;

/// Single neurons, with relu.
inline TinyShape shape_of(bool gated) {
  TinyShape shape = gated ? TinyShape() : TinyShape::opt();
  shape.dim = 64;
  shape.head_dim = 16;
  shape.neurons_per_bundle = 1;
  shape.activation = "relu";
  shape.dtype = flashlm::DType::f16;
  return shape;
}

/// Whether no logit is further off than that share of the largest; all bits, where the share is 0.
inline bool near(const std::vector<float>& got, const std::vector<float>& expected,
                 float tolerance) {
  if (tolerance == 0) return same_bits(got, expected);
  float largest = 0, worst = 0;
  for (std::size_t at = 0; at < expected.size(); ++at) {
    largest = std::max(largest, std::abs(expected[at]));
    worst = std::max(worst, std::abs(got[at] - expected[at]));
  }
  return worst <= tolerance * largest;
}

}  // namespace support::windowed
