// SPDX-License-Identifier: Apache-2.0
/// dtype.hpp: the number formats of weights, and exact conversions of single numbers.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "flashlm/base/error.hpp"

namespace flashlm::inline v0 {

/// How a weight is stored.
///
/// q8_0 and q4_0 are ggml's: kBlockNumbers numbers make a block, an f16 scale followed by their quants. Of q8_0 these
/// are bytes, value = scale * int8. Of q4_0 they are nibbles, value = scale * (nibble - 8); byte j holds number j in
/// its low nibble and number j + 16 in its high one.
enum class DType : std::uint8_t { f32, f16, bf16, q8_0, q4_0, u8 };

/// Numbers in a block of q8_0 or q4_0.
inline constexpr std::size_t kBlockNumbers = 32;

/// Whether numbers share a scale, and rows are whole blocks.
constexpr bool is_block(DType dtype) noexcept { return dtype == DType::q8_0 || dtype == DType::q4_0; }

/// "f32", "f16", "bf16", "q8_0", "q4_0", "u8".
constexpr std::string_view name(DType dtype) noexcept {
  switch (dtype) {
    case DType::f32: return "f32";
    case DType::f16: return "f16";
    case DType::bf16: return "bf16";
    case DType::q8_0: return "q8_0";
    case DType::q4_0: return "q4_0";
    case DType::u8: return "u8";
  }
  return "?";
}

/// The inverse of `name`. Throws FormatError for any other word.
inline DType parse_dtype(std::string_view word) {
  for (DType dtype : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0, DType::u8}) {
    if (name(dtype) == word) return dtype;
  }
  throw FormatError(
      concat("[dtype] unknown number format: expected f32, f16, bf16, q8_0, q4_0 or u8, got '", word, "'"));
}

/// Bytes of a row of `n` numbers; whole blocks of a block format, so that `n` is a multiple of kBlockNumbers.
constexpr std::size_t row_bytes(DType dtype, std::size_t n) noexcept {
  switch (dtype) {
    case DType::f32: return n * 4;
    case DType::f16:
    case DType::bf16: return n * 2;
    case DType::q8_0: return n / kBlockNumbers * (2 + kBlockNumbers);
    case DType::q4_0: return n / kBlockNumbers * (2 + kBlockNumbers / 2);
    case DType::u8: return n;
  }
  return 0;
}

/// IEEE 754 binary16 to binary32. Exact for every input; a NaN stays a NaN.
constexpr float f16_to_f32(std::uint16_t half) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fu;
  const std::uint32_t mantissa = half & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  // Subnormal: mantissa * 2^-24, which binary32 holds exactly.
  const float magnitude = static_cast<float>(mantissa) * 5.9604644775390625e-8f;
  return sign ? -magnitude : magnitude;
}

/// binary32 to binary16, rounded to nearest even; beyond the range becomes infinity.
constexpr std::uint16_t f32_to_f16(float value) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);   // NaN
  if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // rounds to infinity
  if (magnitude >= 0x38800000u) {                                                   // normal
    const std::uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
    return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
  }
  if (magnitude < 0x33000000u) return static_cast<std::uint16_t>(sign);  // rounds to zero
  const std::uint32_t shift = 126u - (magnitude >> 23);
  const std::uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
  const std::uint32_t half = mantissa >> shift;
  const std::uint32_t rest = mantissa & ((1u << shift) - 1u);
  const std::uint32_t middle = 1u << (shift - 1u);
  const std::uint32_t up = (rest > middle || (rest == middle && (half & 1u))) ? 1u : 0u;
  return static_cast<std::uint16_t>(sign | (half + up));
}

/// bfloat16 to binary32. Exact.
constexpr float bf16_to_f32(std::uint16_t value) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

}  // namespace flashlm::inline v0
