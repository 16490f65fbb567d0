// SPDX-License-Identifier: Apache-2.0
/// activation.ipp: the bodies of activation.hpp.
#pragma once

#include "flashlm/kernels/activation.hpp"

#include <cstddef>

#include "flashlm/base/error.hpp"
#include "flashlm/kernels/dispatch.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

FLASHLM_INLINE std::string_view name(Activation activation) noexcept {
  constexpr std::string_view kNames[] = {"silu", "relu", "relu2", "fatrelu"};
  return kNames[static_cast<int>(activation)];
}

FLASHLM_INLINE void silu_mul(std::span<const float> gate, std::span<const float> up, std::span<float> out) {
  FLASHLM_ASSERT(up.size() == gate.size() && out.size() == gate.size());
  active().silu_mul(gate.data(), up.data(), out.data(), gate.size());
}

FLASHLM_INLINE void rectify(Activation activation, float threshold, std::span<float> x) {
  FLASHLM_ASSERT(is_sparse(activation));
  if (activation != Activation::fatrelu) threshold = 0;
  for (float& value : x) value = value < threshold ? 0.0f : value;
  if (activation == Activation::relu2) {
    for (float& value : x) value *= value;
  }
}

FLASHLM_INLINE void activate(Activation activation, float threshold, std::span<float> gate, std::span<const float> up) {
  FLASHLM_ASSERT(up.size() == gate.size());
  if (activation == Activation::silu) return silu_mul(gate, up, gate);
  rectify(activation, threshold, gate);
  for (std::size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i];
}

}  // namespace flashlm::inline FLASHLM_ABI::kernels
