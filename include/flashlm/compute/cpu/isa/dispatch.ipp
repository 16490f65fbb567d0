// SPDX-License-Identifier: Apache-2.0
/// dispatch.ipp: the bodies of dispatch.hpp, and with them those of all kernels.
#pragma once

#include "flashlm/compute/cpu/isa/dispatch.hpp"

#include <bit>
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "flashlm/base/error.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "flashlm/compute/cpu/isa/tables.inc"

namespace flashlm::inline FLASHLM_ABI::kernels {

FLASHLM_INLINE const Table& active() {
#if defined(FLASHLM_REFERENCE)
  return table(Isa::scalar);
#else
  static const Table& chosen = table(choose_isa());
  return chosen;
#endif
}

namespace detail {

FLASHLM_INLINE void require_number(DType dtype, const char* where) {
  if (is_number(dtype)) return;
  throw ArgumentError(
      concat("[", where, "] number format: expected ", names_of(is_number), ", got ", name(dtype)));
}

FLASHLM_INLINE void require_plain(DType dtype, const char* where) {
  if (is_plain(dtype)) return;
  throw ArgumentError(
      concat("[", where, "] number format: expected ", names_of(is_plain), ", got ", name(dtype)));
}

FLASHLM_INLINE void require_block(DType dtype, const char* where) {
  if (is_block(dtype)) return;
  throw ArgumentError(
      concat("[", where, "] number format: expected ", names_of(is_block), ", got ", name(dtype)));
}

FLASHLM_INLINE void require_f32_or_f16(DType dtype, const char* where) {
  if (dtype == DType::f32 || dtype == DType::f16) return;
  throw ArgumentError(
      concat("[", where, "] number format: expected f32 or f16, got ", name(dtype)));
}

}  // namespace detail

}  // namespace flashlm::inline FLASHLM_ABI::kernels
