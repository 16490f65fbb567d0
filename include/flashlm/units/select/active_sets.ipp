// SPDX-License-Identifier: Apache-2.0
/// active_sets.ipp: the bodies of active_sets.hpp.
#pragma once

#include "flashlm/units/select/active_sets.hpp"

#include <bit>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_INLINE ActiveSets::ActiveSets(std::size_t max_tokens, std::size_t max_neurons)
    : n_words_((max_neurons + kWordNeurons - 1) / kWordNeurons), words_(max_tokens * n_words_) {}

FLASHLM_INLINE std::size_t ActiveSets::bytes(std::size_t max_tokens,
                                             std::size_t max_neurons) noexcept {
  return max_tokens * ((max_neurons + kWordNeurons - 1) / kWordNeurons) * sizeof(Word);
}

FLASHLM_INLINE bool ActiveSets::has(std::size_t token, NeuronId neuron) const noexcept {
  return (word(token, neuron / kWordNeurons) >> (neuron % kWordNeurons) & 1) != 0;
}

FLASHLM_INLINE std::size_t ActiveSets::list(std::size_t token, std::size_t n_neurons,
                                            std::span<NeuronId> ids) const {
  std::size_t n = 0;
  for (std::size_t at = 0; at * kWordNeurons < n_neurons; ++at) {
    for (Word bits = word(token, at); bits != 0; bits &= bits - 1) {
      FLASHLM_ASSERT(n < ids.size());
      ids[n++] = static_cast<NeuronId>(at * kWordNeurons +
                                       static_cast<std::size_t>(std::countr_zero(bits)));
    }
  }
  return n;
}

FLASHLM_INLINE std::size_t ActiveSets::count(std::size_t token,
                                             std::size_t n_neurons) const noexcept {
  std::size_t n = 0;
  for (std::size_t at = 0; at * kWordNeurons < n_neurons; ++at) {
    n += static_cast<std::size_t>(std::popcount(word(token, at)));
  }
  return n;
}

}  // namespace flashlm::inline FLASHLM_ABI::units
