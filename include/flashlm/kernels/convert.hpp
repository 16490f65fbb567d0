// SPDX-License-Identifier: Apache-2.0
/// convert.hpp: rows of numbers from one format to another.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/kernels/dispatch.hpp"

namespace flashlm::inline v0::kernels {

/// binary32 to bfloat16, rounded to nearest even; a NaN stays a NaN.
constexpr std::uint16_t f32_to_bf16(float value) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x0040u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

/// out[i] = row[i], exactly. row [out.size()] of f32, f16 or bf16; it needs no alignment.
///
/// Throws ArgumentError for another number format. Allocates nothing. Thread-safe.
inline void to_f32(DType dtype, const std::byte* row, std::span<float> out) {
  switch (dtype) {
    case DType::f32:
      if (!out.empty()) std::memcpy(out.data(), row, out.size_bytes());
      return;
    case DType::f16: active().f16_to_f32(row, out.data(), out.size()); return;
    case DType::bf16:
      for (std::size_t i = 0; i < out.size(); ++i) {
        std::uint16_t bits;
        std::memcpy(&bits, row + 2 * i, sizeof bits);
        out[i] = bf16_to_f32(bits);
      }
      return;
    case DType::u8: break;
  }
  throw ArgumentError(concat("[to_f32] number format: expected f32, f16 or bf16, got ", name(dtype)));
}

/// row[i] = x[i], rounded to nearest even. row [x.size()] of f32, f16 or bf16; it needs no alignment.
///
/// Beyond the range of f16 a number becomes infinity; a NaN stays a NaN, its payload may change.
/// Throws ArgumentError for another number format. Allocates nothing. Thread-safe.
inline void from_f32(std::span<const float> x, DType dtype, std::byte* row) {
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
    case DType::u8: break;
  }
  throw ArgumentError(concat("[from_f32] number format: expected f32, f16 or bf16, got ", name(dtype)));
}

}  // namespace flashlm::inline v0::kernels
