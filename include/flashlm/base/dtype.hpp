// SPDX-License-Identifier: Apache-2.0
/// dtype.hpp: the number formats of weights, and exact conversions of single numbers.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI {

// clang-format off
/// The number formats, one row each: name, GGUF's name, GGUF's number, numbers of a block (1: they
/// stand alone), bytes of a block, largest finite number. What a format means is in
/// compute/cpu/formats/<name>.inc, and how to add one in docs/number_formats.md.
#define FLASHLM_NUMBER_FORMATS(ROW)                      \
  ROW(f32,   "F32",    0,  1,   4,   0x1.fffffep127)     \
  ROW(f16,   "F16",    1,  1,   2,   65504.0)            \
  ROW(bf16,  "BF16",   30, 1,   2,   0x1.fep127)         \
  ROW(q8_0,  "Q8_0",   8,  32,  34,  127 * 65504.0)      \
  ROW(q4_0,  "Q4_0",   2,  32,  18,  8 * 65504.0)        \
  ROW(q4_1,  "Q4_1",   3,  32,  20,  16 * 65504.0)       \
  ROW(q5_0,  "Q5_0",   6,  32,  22,  16 * 65504.0)       \
  ROW(q5_1,  "Q5_1",   7,  32,  24,  32 * 65504.0)       \
  ROW(q2_k,  "Q2_K",   10, 256, 84,  60 * 65504.0)       \
  ROW(q3_k,  "Q3_K",   11, 256, 110, 4 * 32 * 65504.0)   \
  ROW(q4_k,  "Q4_K",   12, 256, 144, 16 * 63 * 65504.0)  \
  ROW(q5_k,  "Q5_K",   13, 256, 176, 32 * 63 * 65504.0)  \
  ROW(q6_k,  "Q6_K",   14, 256, 210, 32 * 128 * 65504.0) \
  ROW(iq4_nl,"IQ4_NL", 20, 32,  18,  127 * 65504.0)      \
  ROW(iq4_xs,"IQ4_XS", 23, 256, 136, 127 * 32 * 65504.0) \
  ROW(mxfp4, "MXFP4",  39, 32,  17,  0x1.8p127)
// clang-format on

/// How a weight is stored: a number format, or u8, which is bytes that are no numbers.
#define FLASHLM_NAME(name, ...) name,
enum class DType : std::uint8_t { FLASHLM_NUMBER_FORMATS(FLASHLM_NAME) u8 };
#undef FLASHLM_NAME

/// What is known of a number format.
struct NumberFormat {
  DType dtype;
  std::string_view name;
  std::string_view gguf_name;  // empty: GGUF has it not
  int gguf_type;               // ggml's number of it; -1: GGUF has it not
  std::uint16_t numbers;       // of a block; 1: they stand alone
  std::uint16_t bytes;         // of a block
  double largest;              // the largest finite number
};

/// In the order of DType.
#define FLASHLM_ROW(name, ...) {DType::name, #name, __VA_ARGS__},
inline constexpr NumberFormat kNumberFormats[] = {
    FLASHLM_NUMBER_FORMATS(FLASHLM_ROW){DType::u8, "u8", "", -1, 1, 1, 255}};
#undef FLASHLM_ROW

/// The row of `dtype`.
constexpr const NumberFormat& format_of(DType dtype) noexcept {
  return kNumberFormats[static_cast<std::size_t>(dtype)];
}

/// Whether numbers share a scale, and rows are whole blocks.
constexpr bool is_block(DType dtype) noexcept { return format_of(dtype).numbers > 1; }

/// Whether it is a format of numbers, not of bytes.
constexpr bool is_number(DType dtype) noexcept { return dtype != DType::u8; }

/// Whether each number stands alone, as in f32.
constexpr bool is_plain(DType dtype) noexcept { return is_number(dtype) && !is_block(dtype); }

/// "f32", "q8_0", "u8", ...
constexpr std::string_view name(DType dtype) noexcept { return format_of(dtype).name; }

/// The names of all formats for which `holds`, for a message: "f32, f16 or bf16".
std::string names_of(bool (*holds)(DType));

/// The inverse of `name`. Throws FormatError for any other word.
DType parse_dtype(std::string_view word);

/// Bytes of a row of `n` numbers; of a block format `n` is a multiple of its numbers a block.
constexpr std::size_t row_bytes(DType dtype, std::size_t n) noexcept {
  const NumberFormat& format = format_of(dtype);
  return n / format.numbers * format.bytes;
}

/// IEEE 754 binary16 to binary32. Exact for every input; a NaN stays a NaN.
constexpr float f16_to_f32(std::uint16_t half) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fu;
  const std::uint32_t mantissa = half & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0)
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  // Subnormal: mantissa * 2^-24, which binary32 holds exactly.
  const float magnitude = static_cast<float>(mantissa) * 5.9604644775390625e-8f;
  return sign ? -magnitude : magnitude;
}

/// binary32 to binary16, rounded to nearest even; beyond the range becomes infinity.
constexpr std::uint16_t f32_to_f16(float value) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);  // NaN
  if (magnitude >= 0x477ff000u)
    return static_cast<std::uint16_t>(sign | 0x7c00u);  // rounds to infinity
  if (magnitude >= 0x38800000u) {                       // normal
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

/// binary32 to bfloat16, rounded to nearest even; a NaN stays a NaN.
constexpr std::uint16_t f32_to_bf16(float value) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x0040u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace flashlm::inline FLASHLM_ABI

#if !defined(FLASHLM_COMPILED)
#include "flashlm/base/dtype.ipp"
#endif
