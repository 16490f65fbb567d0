// SPDX-License-Identifier: Apache-2.0
/// convert.ipp: the bodies of convert.hpp.
#pragma once

#include "flashlm/compute/cpu/quantise/convert.hpp"

#include "flashlm/base/error.hpp"
#include "flashlm/compute/cpu/isa/dispatch.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

FLASHLM_INLINE void to_f32(DType dtype, const std::byte* row, std::span<float> out) {
  detail::require_number(dtype, "to_f32");
  FLASHLM_ASSERT(out.size() % format_of(dtype).numbers == 0);
  active().to_f32(dtype, row, out.data(), out.size());
}

FLASHLM_INLINE bool can_round(DType dtype) { return active().from_f32(dtype, nullptr, nullptr, 0); }

FLASHLM_INLINE void from_f32(std::span<const float> x, DType dtype, std::byte* row) {
  FLASHLM_ASSERT(x.size() % format_of(dtype).numbers == 0);
  if (active().from_f32(dtype, x.data(), row, x.size())) return;
  throw ArgumentError(
      concat("[from_f32] number format: expected ", names_of(can_round), ", got ", name(dtype)));
}

}  // namespace flashlm::inline FLASHLM_ABI::kernels
