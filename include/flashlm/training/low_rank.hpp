// SPDX-License-Identifier: Apache-2.0
/// low_rank.hpp: a predictor of one layer as training sees it: numbers in f32, not yet rounded.
#pragma once

#include <cstddef>
#include <vector>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::training {

/// logits = expand (reduce x) + bias; all matrices row-major. A gradient has the same shape.
struct LowRank {
  std::size_t rank = 0;
  std::size_t dim = 0;
  std::size_t n_neurons = 0;
  std::vector<float> reduce;  // [rank, dim]
  std::vector<float> expand;  // [n_neurons, rank]
  std::vector<float> bias;    // [n_neurons]

  /// All numbers zero.
  static LowRank zeros(std::size_t rank, std::size_t dim, std::size_t n_neurons) {
    return {rank,
            dim,
            n_neurons,
            std::vector<float>(rank * dim),
            std::vector<float>(n_neurons * rank),
            std::vector<float>(n_neurons)};
  }
};

}  // namespace flashlm::inline FLASHLM_ABI::training
