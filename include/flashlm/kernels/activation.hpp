// SPDX-License-Identifier: Apache-2.0
/// activation.hpp: what a feed-forward network does to its neurons: silu, and the family of ReLU, which makes zeros.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

/// The function of a neuron.
enum class Activation {
  silu,            // x / (1 + exp(-x)) (arXiv:1702.03118)
  relu,            // x where x >= 0, else 0
  relu2,           // relu(x)^2 (arXiv:2109.08668)
  fatrelu,         // x where x >= threshold, else 0 (ProSparse, arXiv:2402.13516, section 3.4)
  gelu_erf,        // x / 2 * (1 + erf(x / sqrt(2))) (arXiv:1606.08415); not computed yet
  gelu_tanh,       // its approximation by tanh; not computed yet
  clamped_swiglu,  // gpt-oss: min(g, limit) * sigmoid(alpha * g) * (1 + clamp(u, limit)); not computed yet
};

/// The name in flashlm.json, which is that of the enumerator.
std::string_view name(Activation activation) noexcept;

/// The function of that name.
std::optional<Activation> activation_of(std::string_view name) noexcept;

/// All names, for a message: "silu, relu, ... or clamped_swiglu".
std::string activation_names();

/// Whether the function is exactly zero for a whole range, so that a neuron can be left out.
constexpr bool is_sparse(Activation activation) noexcept {
  switch (activation) {
    case Activation::relu:
    case Activation::relu2:
    case Activation::fatrelu: return true;
    case Activation::silu:
    case Activation::gelu_erf:
    case Activation::gelu_tanh:
    case Activation::clamped_swiglu: return false;
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
