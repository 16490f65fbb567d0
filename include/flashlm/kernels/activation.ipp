// SPDX-License-Identifier: Apache-2.0
/// activation.ipp: the bodies of activation.hpp.
#pragma once

#include "flashlm/kernels/activation.hpp"

#include <cstddef>
#include <iterator>

#include "flashlm/base/error.hpp"
#include "flashlm/kernels/dispatch.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

namespace detail {

inline constexpr std::string_view kActivationNames[] = {"silu",     "relu",      "relu2",         "fatrelu",
                                                        "gelu_erf", "gelu_tanh", "clamped_swiglu"};

}  // namespace detail

FLASHLM_INLINE std::string_view name(Activation activation) noexcept {
  return detail::kActivationNames[static_cast<int>(activation)];
}

FLASHLM_INLINE std::optional<Activation> activation_of(std::string_view name) noexcept {
  for (std::size_t at = 0; at < std::size(detail::kActivationNames); ++at) {
    if (detail::kActivationNames[at] == name) return static_cast<Activation>(at);
  }
  return std::nullopt;
}

FLASHLM_INLINE std::string activation_names() {
  constexpr std::size_t n = std::size(detail::kActivationNames);
  std::string text;
  for (std::size_t at = 0; at < n; ++at) {
    text += concat(at == 0 ? "" : at + 1 == n ? " or " : ", ", detail::kActivationNames[at]);
  }
  return text;
}

FLASHLM_INLINE void silu_mul(std::span<const float> gate, std::span<const float> up, std::span<float> out) {
  FLASHLM_ASSERT(up.size() == gate.size() && out.size() == gate.size());
  active().silu_mul(gate.data(), up.data(), out.data(), gate.size());
}

FLASHLM_INLINE void rectify(Activation activation, float threshold, std::span<float> x) {
  FLASHLM_ASSERT(is_sparse(activation));
  bool squared = false;
  switch (activation) {
    case Activation::silu:
    case Activation::gelu_erf:
    case Activation::gelu_tanh:
    case Activation::clamped_swiglu: return;  // no zeros
    case Activation::relu: threshold = 0; break;
    case Activation::relu2: threshold = 0, squared = true; break;
    case Activation::fatrelu: break;
  }
  for (float& value : x) value = value < threshold ? 0.0f : value;
  if (squared) {
    for (float& value : x) value *= value;
  }
}

FLASHLM_INLINE void activate(Activation activation, float threshold, std::span<float> gate, std::span<const float> up) {
  FLASHLM_ASSERT(up.size() == gate.size());
  switch (activation) {
    case Activation::silu: return silu_mul(gate, up, gate);
    case Activation::relu:
    case Activation::relu2:
    case Activation::fatrelu:
      rectify(activation, threshold, gate);
      for (std::size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i];
      return;
    case Activation::gelu_erf:
    case Activation::gelu_tanh:
    case Activation::clamped_swiglu: break;
  }
  FLASHLM_ASSERT(false && "not computed yet");
}

}  // namespace flashlm::inline FLASHLM_ABI::kernels
