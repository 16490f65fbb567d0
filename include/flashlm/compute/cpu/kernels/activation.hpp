// SPDX-License-Identifier: Apache-2.0
/// activation.hpp: what a feed-forward network does to its neurons.
#pragma once

#include <span>

#include "flashlm/compute/cpu/isa/activation_kind.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

/// gate[i] = activation(gate[i]) * up[i], in place. gate, up [n].
///
/// exp is a polynomial of our own, within 2 units in the last place, and erf one within 1.5e-7, so
/// that no bit depends on the system's math library. `threshold` is that of fatrelu. Allocates
/// nothing. Thread-safe.
void activate(Activation activation, float threshold, std::span<float> gate,
              std::span<const float> up);

/// x[i] = activation(x[i]), in place. Allocates nothing. Thread-safe.
void activate(Activation activation, float threshold, std::span<float> x);

/// x[i] = cap * tanh(x[i] / cap), in place; cap above 0. Allocates nothing. Thread-safe.
void softcap(std::span<float> x, float cap);

}  // namespace flashlm::inline FLASHLM_ABI::kernels

#if !defined(FLASHLM_COMPILED)
#include "flashlm/compute/cpu/kernels/activation.ipp"
#endif
