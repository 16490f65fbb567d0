// SPDX-License-Identifier: Apache-2.0
/// activation.ipp: the bodies of activation.hpp.
#pragma once

#include "flashlm/compute/cpu/kernels/activation.hpp"

#include <cstddef>

#include "flashlm/base/error.hpp"
#include "flashlm/compute/cpu/isa/dispatch.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

namespace detail {

/// x[i] = 0 where x[i] < threshold; a NaN stays. One rounding per element at most, so a plain loop
/// has the same bits under all flags.
inline void rectify(float threshold, bool squared, std::span<float> x) {
  for (float& value : x) value = value < threshold ? 0.0f : value;
  if (!squared) return;
  for (float& value : x) value *= value;
}

}  // namespace detail

FLASHLM_INLINE void activate(Activation activation, float threshold, std::span<float> gate,
                             std::span<const float> up) {
  FLASHLM_ASSERT(up.size() == gate.size());
  switch (activation) {
    case Activation::silu:
    case Activation::gelu_erf:
    case Activation::gelu_tanh:
      active().smooth(activation, gate.data(), up.data(), gate.data(), gate.size());
      return;
    case Activation::relu:
    case Activation::relu2:
    case Activation::fatrelu:
      activate(activation, threshold, gate);
      for (std::size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i];
      return;
    case Activation::clamped_swiglu: break;
  }
  FLASHLM_ASSERT(false && "not computed yet");
}

FLASHLM_INLINE void activate(Activation activation, float threshold, std::span<float> x) {
  switch (activation) {
    case Activation::silu:
    case Activation::gelu_erf:
    case Activation::gelu_tanh:
      active().smooth(activation, x.data(), nullptr, x.data(), x.size());
      return;
    case Activation::relu: return detail::rectify(0, false, x);
    case Activation::relu2: return detail::rectify(0, true, x);
    case Activation::fatrelu: return detail::rectify(threshold, false, x);
    case Activation::clamped_swiglu: break;  // has a gate
  }
  FLASHLM_ASSERT(false && "not computed yet");
}

FLASHLM_INLINE void softcap(std::span<float> x, float cap) {
  FLASHLM_ASSERT(cap > 0);
  active().softcap(x.data(), cap, x.size());
}

}  // namespace flashlm::inline FLASHLM_ABI::kernels
