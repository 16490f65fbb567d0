// SPDX-License-Identifier: Apache-2.0
/// activation.hpp: what a feed-forward network does to its neurons: silu, and the family of ReLU, which makes zeros.
#pragma once

#include <span>
#include <string_view>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

/// The function of a neuron.
enum class Activation {
  silu,     // x / (1 + exp(-x)) (arXiv:1702.03118)
  relu,     // x where x >= 0, else 0
  relu2,    // relu(x)^2 (arXiv:2109.08668)
  fatrelu,  // x where x >= threshold, else 0 (ProSparse, arXiv:2402.13516, section 3.4)
};

/// The name in a config.json of Hugging Face: "silu", "relu", "relu2", "fatrelu".
std::string_view name(Activation activation) noexcept;

/// Whether the function is exactly zero for a whole range, so that a neuron can be left out.
constexpr bool is_sparse(Activation activation) noexcept {
  switch (activation) {
    case Activation::silu: return false;
    case Activation::relu:
    case Activation::relu2:
    case Activation::fatrelu: return true;
  }
  return false;
}

/// out[i] = silu(gate[i]) * up[i], with silu(g) = g / (1 + exp(-g)).
///
/// gate, up, out [n]; out may be gate or up. exp is a polynomial of our own, within 2 units in the last place, so that
/// no bit depends on the system's math library. Allocates nothing. Thread-safe.
void silu_mul(std::span<const float> gate, std::span<const float> up, std::span<float> out);

/// x[i] = 0 where x[i] < threshold; a NaN stays. In place. One rounding per element at most, so a plain loop has the
/// same bits under all flags.
///
/// `relu`, `relu2` and `fatrelu` only; the first two take no threshold: it is 0. Allocates nothing. Thread-safe.
void rectify(Activation activation, float threshold, std::span<float> x);

/// gate[i] = activation(gate[i]) * up[i], in place. gate, up [n]. Allocates nothing. Thread-safe.
void activate(Activation activation, float threshold, std::span<float> gate, std::span<const float> up);

}  // namespace flashlm::inline FLASHLM_ABI::kernels

#if !defined(FLASHLM_COMPILED)
#include "flashlm/kernels/activation.ipp"
#endif
