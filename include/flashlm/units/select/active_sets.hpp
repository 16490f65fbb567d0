// SPDX-License-Identifier: Apache-2.0
/// active_sets.hpp: which neurons of a layer each token of a batch needs, one bit a neuron.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "flashlm/units/neuron_id.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// A set of neurons for every token of a batch. Threads may fill different words at once. Allocates
/// when constructed.
class ActiveSets {
 public:
  using Word = std::uint64_t;
  static constexpr std::size_t kWordNeurons = 64;

  ActiveSets(std::size_t max_tokens, std::size_t max_neurons);

  static std::size_t bytes(std::size_t max_tokens, std::size_t max_neurons) noexcept;

  /// Neurons 64 index to 64 index + 63 of a token; bits of neurons that do not exist are 0.
  Word& word(std::size_t token, std::size_t index) noexcept {
    return words_[token * n_words_ + index];
  }
  Word word(std::size_t token, std::size_t index) const noexcept {
    return words_[token * n_words_ + index];
  }

  bool has(std::size_t token, NeuronId neuron) const noexcept;

  /// The neurons of `token` below `n_neurons`, ascending, into `ids`; how many there are.
  std::size_t list(std::size_t token, std::size_t n_neurons, std::span<NeuronId> ids) const;

  /// How many of the first `n_neurons` a token has.
  std::size_t count(std::size_t token, std::size_t n_neurons) const noexcept;

 private:
  std::size_t n_words_;
  std::vector<Word> words_;  // [max_tokens, n_words]
};

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/select/active_sets.ipp"
#endif
