// SPDX-License-Identifier: Apache-2.0
/// ffn_parameters.hpp: what a feed-forward network computes with its neurons.
#pragma once

#include <cstddef>
#include <span>

#include "flashlm/compute/cpu/isa/activation_kind.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// What a feed-forward network computes with its neurons, beside their weights.
struct FfnParameters {
  kernels::Activation activation = kernels::Activation::silu;
  float threshold = 0;               // of fatrelu
  std::span<const float> up_bias{};  // [n_neurons], or empty

  /// What the gate of a neuron must reach (without a gate, the neuron itself) for it to fire, with
  /// an activation that makes zeros.
  float fires_from() const noexcept {
    return activation == kernels::Activation::fatrelu ? threshold : 0;
  }

  /// The biases of neurons [first, first + n); empty where there are none.
  std::span<const float> bias(std::size_t first, std::size_t n) const noexcept {
    return up_bias.empty() ? up_bias : up_bias.subspan(first, n);
  }
};

}  // namespace flashlm::inline FLASHLM_ABI::units
