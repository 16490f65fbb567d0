// SPDX-License-Identifier: Apache-2.0
/// activations.hpp: what the neurons of one layer did on some tokens, as training keeps it on disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::training {

/// Some tokens of one layer. Owns nothing: what it shows may be a mapped file, which is read row by
/// row as it is looked at.
///
/// A code is the square root of an activation's share of its token's largest, times 255; 0 is a
/// neuron that does not fire.
struct Activations {
  std::size_t dim = 0;
  std::size_t n_neurons = 0;
  std::span<const std::byte> x;         // [n_tokens, dim] of f16: inputs of the layer
  std::span<const std::uint8_t> codes;  // [n_tokens, n_neurons]
  std::span<const float> scales;        // [n_tokens]: the largest activation of each token

  std::size_t n_tokens() const noexcept { return scales.size(); }

  /// Throws ShapeError for parts that disagree or are empty, FormatError for a scale that is
  /// negative or not finite.
  void check() const;

  /// out [dim] = the input of a token. Throws FormatError for a number that is not finite.
  void read_input(std::size_t token, std::span<float> out) const;

  bool fires(std::size_t token, std::size_t neuron) const noexcept {
    return codes[token * n_neurons + neuron] > 0;
  }

  /// How large an activation is, whatever its sign.
  float size(std::size_t token, std::size_t neuron) const noexcept {
    const float root = static_cast<float>(codes[token * n_neurons + neuron]) / 255.0F;
    return root * root * scales[token];
  }
};

}  // namespace flashlm::inline FLASHLM_ABI::training

#if !defined(FLASHLM_COMPILED)
#include "flashlm/training/activations.ipp"
#endif
