// SPDX-License-Identifier: Apache-2.0
/// neuron_activation.hpp: what a neuron makes of its gate and its up row.
#pragma once

#include <span>

#include "flashlm/units/ffn_parameters.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// The activations of n neurons, into `h`:
///
///     h = activation(h) * (up + bias)      where h holds gate . x and `up` up . x
///     h = activation(h + bias)             without a gate, where h holds up . x and `up` is empty
///
/// h, up, bias [n]; `bias` is empty where there is none; `up` is changed. Allocates nothing.
/// Thread-safe.
void activate_neurons(const FfnParameters& ffn, std::span<const float> bias, std::span<float> h,
                      std::span<float> up);

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/ffn/neuron_activation.ipp"
#endif
