// SPDX-License-Identifier: Apache-2.0
/// neuron_activation.ipp: the bodies of neuron_activation.hpp.
#pragma once

#include "flashlm/units/ffn/neuron_activation.hpp"

#include "flashlm/compute/backend.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_INLINE void activate_neurons(const FfnParameters& ffn, std::span<const float> bias,
                                     std::span<float> h, std::span<float> up) {
  const bool gated = !up.empty();
  if (!bias.empty()) compute::Backend::add(bias, gated ? up : h);
  if (gated) {
    compute::Backend::activate(ffn.activation, ffn.threshold, h, up);
  } else {
    compute::Backend::activate(ffn.activation, ffn.threshold, h);
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::units
