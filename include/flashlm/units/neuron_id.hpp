// SPDX-License-Identifier: Apache-2.0
/// neuron_id.hpp: what a neuron is asked for by.
#pragma once

#include <cstdint>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// The number of a neuron within its layer, as in the source model.
using NeuronId = std::uint32_t;

}  // namespace flashlm::inline FLASHLM_ABI::units
