// SPDX-License-Identifier: Apache-2.0
/// convert.hpp: rows of numbers from one format to another.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "flashlm/base/dtype.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

/// binary32 to bfloat16, rounded to nearest even; a NaN stays a NaN.
constexpr std::uint16_t f32_to_bf16(float value) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x0040u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

namespace detail {

/// The number of largest magnitude among those of a block; NaN if one is not finite.
float largest(const float* x);

}  // namespace detail

/// out[i] = row[i], exactly. row [out.size()] of any number format but u8; it needs no alignment.
///
/// The length is a multiple of kBlockNumbers for a block format.
/// Throws ArgumentError for u8. Allocates nothing. Thread-safe.
void to_f32(DType dtype, const std::byte* row, std::span<float> out);

/// row[i] = x[i], rounded to nearest even; a block format as ggml's reference rounds. It needs no alignment.
///
/// Beyond the range of f16 a number becomes infinity; a NaN stays a NaN, its payload may change. A block with a number
/// that is not finite becomes NaN. The length is a multiple of kBlockNumbers for a block format.
/// Throws ArgumentError for u8. Allocates nothing. Thread-safe.
void from_f32(std::span<const float> x, DType dtype, std::byte* row);

}  // namespace flashlm::inline FLASHLM_ABI::kernels

#if !defined(FLASHLM_COMPILED)
#include "flashlm/kernels/convert.ipp"
#endif
