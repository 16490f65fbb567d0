// SPDX-License-Identifier: Apache-2.0
/// activation.ipp: the bodies of activation.hpp.
#pragma once

#include "flashlm/kernels/activation.hpp"

#include <cstddef>

#include "flashlm/base/error.hpp"
#include "flashlm/kernels/dispatch.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

FLASHLM_INLINE std::string_view name(Activation activation) noexcept {
  switch (activation) {
    case Activation::silu: return "silu";
    case Activation::relu: return "relu";
    case Activation::relu2: return "relu2";
    case Activation::fatrelu: return "fatrelu";
  }
  return "?";
}

FLASHLM_INLINE void silu_mul(std::span<const float> gate, std::span<const float> up, std::span<float> out) {
  FLASHLM_ASSERT(up.size() == gate.size() && out.size() == gate.size());
  active().silu_mul(gate.data(), up.data(), out.data(), gate.size());
}

FLASHLM_INLINE void rectify(Activation activation, float threshold, std::span<float> x) {
  FLASHLM_ASSERT(is_sparse(activation));
  bool squared = false;
  switch (activation) {
    case Activation::silu: return;  // no zeros
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
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::kernels
