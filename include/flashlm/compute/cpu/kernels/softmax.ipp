// SPDX-License-Identifier: Apache-2.0
/// softmax.ipp: the bodies of softmax.hpp.
#pragma once

#include "flashlm/compute/cpu/kernels/softmax.hpp"

#include "flashlm/compute/cpu/isa/dispatch.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

FLASHLM_INLINE void softmax(std::span<float> x) { active().softmax(x.data(), x.size()); }

}  // namespace flashlm::inline FLASHLM_ABI::kernels
