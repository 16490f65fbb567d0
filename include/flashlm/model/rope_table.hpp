// SPDX-License-Identifier: Apache-2.0
/// rope_table.hpp: the cosines and sines of rotary positions (Su et al., arXiv:2104.09864).
#pragma once

#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <vector>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/model/config.hpp"

namespace flashlm::inline v0::model {

/// cos and sin of position * frequency, for every position of a context.
///
/// Angles are float32 products, as transformers computes them, so that long positions round alike; their cosine and
/// sine are taken in double. Immutable. Thread-safe.
class RopeTable {
 public:
  RopeTable(const RopeConfig& rope, std::size_t head_dim, std::size_t context)
      : half_(head_dim / 2), table_(bytes(head_dim, context)) {
    const std::vector<float> inverse = frequencies(rope, head_dim);
    float* out = table_.as<float>().data();
    for (std::size_t position = 0; position < context; ++position) {
      for (std::size_t at = 0; at < half_; ++at) {
        const float angle = static_cast<float>(position) * inverse[at];
        out[2 * position * half_ + at] = static_cast<float>(std::cos(static_cast<double>(angle)));
        out[(2 * position + 1) * half_ + at] = static_cast<float>(std::sin(static_cast<double>(angle)));
      }
    }
  }

  static std::size_t bytes(std::size_t head_dim, std::size_t context) noexcept {
    return head_dim * context * sizeof(float);
  }

  std::span<const float> cosines(std::size_t position) const noexcept {
    return table_.as<float>().subspan(2 * position * half_, half_);
  }
  std::span<const float> sines(std::size_t position) const noexcept {
    return table_.as<float>().subspan((2 * position + 1) * half_, half_);
  }

  /// Radians a position, one for each pair of a head [head_dim / 2]; scaled as
  /// transformers' _compute_linear_scaling_rope_parameters and _compute_llama3_parameters do.
  static std::vector<float> frequencies(const RopeConfig& rope, std::size_t head_dim) {
    std::vector<float> inverse(head_dim / 2);
    for (std::size_t at = 0; at < inverse.size(); ++at) {
      const double exponent = static_cast<double>(2 * at) / static_cast<double>(head_dim);
      double frequency = 1 / std::pow(rope.theta, exponent);
      if (rope.type == "linear") frequency /= rope.factor;
      if (rope.type == "llama3") frequency = stretched(rope, frequency);
      inverse[at] = static_cast<float>(frequency);
    }
    return inverse;
  }

 private:
  /// Llama 3.1: long waves slow down by `factor`, short ones stay, those between are blended.
  static double stretched(const RopeConfig& rope, double frequency) {
    const double wave = 2 * std::numbers::pi / frequency;
    if (wave > rope.original_context / rope.low_freq_factor) return frequency / rope.factor;
    if (wave < rope.original_context / rope.high_freq_factor) return frequency;
    const double smooth =
        (rope.original_context / wave - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
    return (1 - smooth) * frequency / rope.factor + smooth * frequency;
  }

  std::size_t half_;
  AlignedBuffer table_;  // [context, 2, head_dim / 2]: cosines, sines
};

}  // namespace flashlm::inline v0::model
