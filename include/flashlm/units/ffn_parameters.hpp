// SPDX-License-Identifier: Apache-2.0
/// ffn_parameters.hpp: what a feed-forward network computes with its neurons.
#pragma once

#include <span>

#include "flashlm/compute/cpu/kernels/activation.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// What a feed-forward network computes with its neurons, beside their weights.
struct FfnParameters {
  kernels::Activation activation = kernels::Activation::silu;
  float threshold = 0;               // of fatrelu
  std::span<const float> up_bias{};  // [n_neurons], or empty
};

}  // namespace flashlm::inline FLASHLM_ABI::units
