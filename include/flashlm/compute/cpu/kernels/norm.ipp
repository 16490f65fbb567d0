// SPDX-License-Identifier: Apache-2.0
/// norm.ipp: the bodies of norm.hpp.
#pragma once

#include "flashlm/compute/cpu/kernels/norm.hpp"

#include "flashlm/base/error.hpp"
#include "flashlm/compute/cpu/isa/dispatch.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

FLASHLM_INLINE void rms_norm(std::span<const float> x, std::span<const float> weight, float epsilon,
                             std::span<float> out) {
  FLASHLM_ASSERT(weight.size() == x.size() && out.size() == x.size());
  active().rms_norm(x.data(), weight.data(), epsilon, out.data(), x.size());
}

FLASHLM_INLINE void layer_norm(std::span<const float> x, std::span<const float> weight,
                               std::span<const float> bias, float epsilon, std::span<float> out) {
  FLASHLM_ASSERT(weight.size() == x.size() && bias.size() == x.size() && out.size() == x.size());
  active().layer_norm(x.data(), weight.data(), bias.data(), epsilon, out.data(), x.size());
}

}  // namespace flashlm::inline FLASHLM_ABI::kernels
