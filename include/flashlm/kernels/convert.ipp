// SPDX-License-Identifier: Apache-2.0
/// convert.ipp: the bodies of convert.hpp.
#pragma once

#include "flashlm/kernels/convert.hpp"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <limits>

#include "flashlm/base/error.hpp"
#include "flashlm/kernels/dispatch.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

namespace detail {

FLASHLM_INLINE float largest(const float* x) {
  float result = 0;
  for (std::size_t i = 0; i < kBlockNumbers; ++i) {
    if (!(std::abs(x[i]) <= FLT_MAX)) return std::numeric_limits<float>::quiet_NaN();
    if (std::abs(x[i]) > std::abs(result)) result = x[i];
  }
  return result;
}

/// Writes the scale of a block, and returns what its numbers are multiplied with: 0 for a block of zeros, or of NaN.
inline double put_scale(float scale, std::byte* block) {
  const std::uint16_t half = ::flashlm::f32_to_f16(scale);
  std::memcpy(block, &half, sizeof half);
  const float inverse = 1.0f / scale;
  return scale == 0 || !(std::abs(inverse) <= FLT_MAX) ? 0.0 : static_cast<double>(inverse);
}

/// ggml's quantize_row_q8_0_ref for one block: to the nearest of 255 steps, ties away from zero.
inline void to_q8_0(const float* x, std::byte* block) {
  const double inverse = put_scale(std::abs(largest(x)) / 127, block);
  for (std::size_t i = 0; i < kBlockNumbers; ++i) {
    const float steps = inverse == 0 ? 0.0f : static_cast<float>(static_cast<double>(x[i]) * inverse);
    const auto quant = static_cast<std::int8_t>(static_cast<double>(steps) + (steps < 0 ? -0.5 : 0.5));
    block[2 + i] = static_cast<std::byte>(quant);
  }
}

/// ggml's quantize_row_q4_0_ref for one block: the number of largest magnitude becomes -8 steps. The product is exact
/// in double and the sum is rounded once, to float, as by a fused multiply-add: no compiler changes a nibble.
inline void to_q4_0(const float* x, std::byte* block) {
  const double inverse = put_scale(largest(x) / -8, block);
  unsigned nibbles[kBlockNumbers];
  for (std::size_t i = 0; i < kBlockNumbers; ++i) {
    const double steps = inverse == 0 ? 0.0 : static_cast<double>(x[i]) * inverse;
    nibbles[i] = std::min(15u, static_cast<unsigned>(static_cast<float>(steps + 8.5)));
  }
  for (std::size_t j = 0; j < kBlockNumbers / 2; ++j) {
    block[2 + j] = static_cast<std::byte>(nibbles[j] | nibbles[j + kBlockNumbers / 2] << 4);
  }
}

}  // namespace detail

FLASHLM_INLINE void to_f32(DType dtype, const std::byte* row, std::span<float> out) {
  detail::require_number(dtype, "to_f32");
  FLASHLM_ASSERT(!is_block(dtype) || out.size() % kBlockNumbers == 0);
  active().to_f32(dtype, row, out.data(), out.size());
}

FLASHLM_INLINE void from_f32(std::span<const float> x, DType dtype, std::byte* row) {
  FLASHLM_ASSERT(!is_block(dtype) || x.size() % kBlockNumbers == 0);
  switch (dtype) {
    case DType::f32:
      if (!x.empty()) std::memcpy(row, x.data(), x.size_bytes());
      return;
    case DType::f16: active().f32_to_f16(x.data(), row, x.size()); return;
    case DType::bf16:
      for (std::size_t i = 0; i < x.size(); ++i) {
        const std::uint16_t bits = f32_to_bf16(x[i]);
        std::memcpy(row + 2 * i, &bits, sizeof bits);
      }
      return;
    case DType::q8_0:
      for (std::size_t i = 0; i < x.size(); i += kBlockNumbers) detail::to_q8_0(&x[i], row + row_bytes(dtype, i));
      return;
    case DType::q4_0:
      for (std::size_t i = 0; i < x.size(); i += kBlockNumbers) detail::to_q4_0(&x[i], row + row_bytes(dtype, i));
      return;
    case DType::u8: detail::require_number(dtype, "from_f32");
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::kernels
