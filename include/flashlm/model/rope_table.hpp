// SPDX-License-Identifier: Apache-2.0
/// rope_table.hpp: the cosines and sines of rotary positions (Su et al., arXiv:2104.09864).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/model/config.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// cos and sin of position * frequency, for every position of a context.
///
/// Angles are float32 products, as transformers computes them, so that long positions round alike; their cosine and
/// sine are taken in double. Immutable. Thread-safe.
class RopeTable {
 public:
  RopeTable(const RopeConfig& rope, std::size_t head_dim, std::size_t context);

  static std::size_t bytes(std::size_t head_dim, std::size_t context) noexcept;

  std::span<const float> cosines(std::size_t position) const noexcept;
  std::span<const float> sines(std::size_t position) const noexcept;

  /// Radians a position, one for each pair of a head [head_dim / 2]; scaled as
  /// transformers' _compute_linear_scaling_rope_parameters and _compute_llama3_parameters do.
  static std::vector<float> frequencies(const RopeConfig& rope, std::size_t head_dim);

 private:
  /// Llama 3.1: long waves slow down by `factor`, short ones stay, those between are blended.
  static double stretched(const RopeConfig& rope, double frequency);

  std::size_t half_;
  AlignedBuffer table_;  // [context, 2, head_dim / 2]: cosines, sines
};

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/rope_table.ipp"
#endif
