// SPDX-License-Identifier: Apache-2.0
/// rope_table.ipp: the bodies of rope_table.hpp.
#pragma once

#include "flashlm/model/rope_table.hpp"

#include <cmath>
#include <numbers>

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE RopeTable::RopeTable(const RopeConfig& rope, std::size_t head_dim, std::size_t context)
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

FLASHLM_INLINE std::size_t RopeTable::bytes(std::size_t head_dim, std::size_t context) noexcept {
  return head_dim * context * sizeof(float);
}

FLASHLM_INLINE std::span<const float> RopeTable::cosines(std::size_t position) const noexcept {
  return table_.as<float>().subspan(2 * position * half_, half_);
}

FLASHLM_INLINE std::span<const float> RopeTable::sines(std::size_t position) const noexcept {
  return table_.as<float>().subspan((2 * position + 1) * half_, half_);
}

FLASHLM_INLINE std::vector<float> RopeTable::frequencies(const RopeConfig& rope, std::size_t head_dim) {
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

FLASHLM_INLINE double RopeTable::stretched(const RopeConfig& rope, double frequency) {
  const double wave = 2 * std::numbers::pi / frequency;
  if (wave > rope.original_context / rope.low_freq_factor) return frequency / rope.factor;
  if (wave < rope.original_context / rope.high_freq_factor) return frequency;
  const double smooth =
      (rope.original_context / wave - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  return (1 - smooth) * frequency / rope.factor + smooth * frequency;
}

}  // namespace flashlm::inline FLASHLM_ABI::model
