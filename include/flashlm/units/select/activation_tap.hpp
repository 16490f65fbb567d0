// SPDX-License-Identifier: Apache-2.0
/// activation_tap.hpp: shows what every neuron of a layer does, so that a predictor can learn it.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// Gathers the activations of one feed-forward network at a time, and hands them to an observer.
///
/// Not thread-safe.
class ActivationTap {
 public:
  /// x [n_tokens, dim] is the input of the network of `layer`, h [n_tokens, hidden_dim] the
  /// activation of each neuron: the number its down column is multiplied by. Both are valid during
  /// the call, which may throw to stop.
  using Observer = std::function<void(std::size_t layer, std::size_t n_tokens,
                                      std::span<const float> x, std::span<const float> h)>;

  ActivationTap(std::size_t max_tokens, std::size_t hidden_dim, Observer observer);

  /// Takes h of neurons [first, first + n) for `n_tokens` tokens, which lie `stride` floats apart.
  void put(std::size_t first, std::size_t n, std::size_t n_tokens, const float* h,
           std::size_t stride);

  /// Shows the layer, all of whose neurons were put. Throws FormatError if a number is not finite:
  /// nothing could be learned from it, and weights that are right do not make it.
  void finish(std::size_t layer, std::size_t n_tokens, std::span<const float> x);

 private:
  static void require_finite(std::span<const float> values, std::size_t row, std::size_t layer,
                             const char* what);

  std::size_t hidden_dim_;
  AlignedBuffer h_;  // f32 [max_tokens, hidden_dim]
  Observer observer_;
};

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/select/activation_tap.ipp"
#endif
