// SPDX-License-Identifier: Apache-2.0
/// activation_kind.hpp: the functions of neurons, by name.
#pragma once

#include <optional>
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
  gelu_erf,        // x / 2 * (1 + erf(x / sqrt(2))) (arXiv:1606.08415)
  gelu_tanh,       // its approximation by tanh
  clamped_swiglu,  // gpt-oss: min(g, limit) * sigmoid(alpha * g) * (1 + clamp(u, limit)); not
                   // computed yet
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

}  // namespace flashlm::inline FLASHLM_ABI::kernels

#if !defined(FLASHLM_COMPILED)
#include "flashlm/compute/cpu/isa/activation_kind.ipp"
#endif
