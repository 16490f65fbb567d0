// SPDX-License-Identifier: Apache-2.0
/// formats.hpp: the formats of blocks by their definitions, one number at a time.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "flashlm/base/dtype.hpp"

namespace support {

using flashlm::DType;

/// A number of a block: scale * quant + minimum, where the product is exact.
struct BlockNumber {
  int quant = 0;
  float scale = 0;
  float minimum = -0.0f;  // which changes no number, when it is added

  float value() const { return scale * static_cast<float>(quant) + minimum; }
};

/// Whether numbers of that format have a minimum.
inline bool has_minimum(DType dtype) {
  return dtype == DType::q4_1 || dtype == DType::q5_1 || dtype == DType::q2_k ||
         dtype == DType::q4_k || dtype == DType::q5_k;
}

/// Where the minimum of a block is: a half.
inline std::size_t minimum_at(DType dtype) { return dtype == DType::q2_k ? 82 : 2; }

/// Numbers that share all of their scale, as they are multiplied: 32, or 16.
inline std::size_t scaled_numbers(DType dtype) {
  const bool sixteens = dtype == DType::q2_k || dtype == DType::q3_k || dtype == DType::q6_k;
  return sixteens ? 16 : 32;
}

/// Where the scale of a block is: a half, of mxfp4 a byte.
inline std::size_t scale_at(DType dtype) {
  if (dtype == DType::q2_k) return 80;
  if (dtype == DType::q3_k) return 108;
  return dtype == DType::q6_k ? 208 : 0;
}

/// What the scale of a block may be for its numbers to be at most about 1.
inline float scale_size(DType dtype) {
  const bool has_factors = dtype == DType::q4_k || dtype == DType::q5_k || dtype == DType::q6_k;
  if (has_factors) return 1 / 2048.0f;
  if (dtype == DType::iq4_xs) return 1 / 4096.0f;
  if (dtype == DType::q2_k) return 1 / 64.0f;
  if (dtype == DType::q3_k) return 1 / 128.0f;
  return dtype == DType::q8_0 || dtype == DType::iq4_nl ? 1 / 128.0f : 1 / 16.0f;
}

inline void put_half(std::byte* at, float number) {
  const std::uint16_t half = flashlm::f32_to_f16(number);
  std::memcpy(at, &half, sizeof half);
}

/// Writes the scale of a block; of mxfp4 one that is 0, 1 or no number.
inline void put_scale(DType dtype, std::byte* block, float scale) {
  if (dtype == DType::mxfp4) {
    block[0] = static_cast<std::byte>(!std::isfinite(scale) ? 255 : scale == 0 ? 0 : 128);
  } else {
    put_half(block + scale_at(dtype), scale);
  }
}

/// What the nibbles of iq4_nl and iq4_xs stand for.
inline constexpr int kSteps[] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                 1,    13,   25,  38,  53,  69,  89,  113};

/// Number `i` of a row of blocks.
inline BlockNumber block_number(DType dtype, const std::byte* row, std::size_t i) {
  const std::size_t numbers = flashlm::format_of(dtype).numbers, j = i % numbers;
  const std::byte* block = row + i / numbers * flashlm::format_of(dtype).bytes;
  const auto byte = [&](std::size_t at) { return std::to_integer<int>(block[at]); };
  const auto half = [&](std::size_t at) {
    std::uint16_t bits;
    std::memcpy(&bits, block + at, sizeof bits);
    return flashlm::f16_to_f32(bits);
  };
  const auto nibble = [&](std::size_t at) { return byte(at + j % 16) >> (j < 16 ? 0 : 4) & 15; };
  const auto fifth = [&](std::size_t at) { return (byte(at + j / 8) >> (j % 8) & 1) << 4; };
  switch (dtype) {
    case DType::q8_0: return {static_cast<std::int8_t>(byte(2 + j)), half(0)};
    case DType::q4_0: return {nibble(2) - 8, half(0)};
    case DType::q4_1: return {nibble(4), half(0), half(2)};
    case DType::q5_0: return {(nibble(6) | fifth(2)) - 16, half(0)};
    case DType::q5_1: return {nibble(8) | fifth(4), half(0), half(2)};
    case DType::q2_k: {
      const int sub = byte(j / 16),
                quant = byte(16 + j / 128 * 32 + j % 32) >> (j / 32 % 4 * 2) & 3;
      return {quant, half(80) * static_cast<float>(sub & 15),
              -(half(82) * static_cast<float>(sub >> 4))};
    }
    case DType::q3_k: {
      const std::size_t sixteen = j / 16;
      const int low = byte(96 + sixteen % 8) >> (sixteen / 8 * 4) & 15;
      const int high = byte(104 + sixteen % 4) >> (sixteen / 4 * 2) & 3;
      const int pair = byte(32 + j / 128 * 32 + j % 32) >> (j / 32 % 4 * 2) & 3;
      const int third = byte(j % 32) >> (j / 32) & 1;
      return {pair + 4 * third - 4, half(108) * static_cast<float>(low + 16 * high - 32)};
    }
    case DType::q4_k:
    case DType::q5_k: {
      const std::size_t part = j / 32, first = dtype == DType::q4_k ? 16 : 48;
      int scale, minimum;
      if (part < 4) {
        scale = byte(4 + part) & 63;
        minimum = byte(8 + part) & 63;
      } else {
        scale = (byte(8 + part) & 15) | byte(part) >> 6 << 4;
        minimum = byte(8 + part) >> 4 | byte(4 + part) >> 6 << 4;
      }
      int quant = byte(first + part / 2 * 32 + j % 32) >> (part % 2 * 4) & 15;
      if (dtype == DType::q5_k) quant |= (byte(16 + j % 32) >> part & 1) << 4;
      return {quant, half(0) * static_cast<float>(scale), -(half(2) * static_cast<float>(minimum))};
    }
    case DType::q6_k: {
      const std::size_t h = j / 128, part = j / 32 % 4, l = j % 32;
      const int low = byte(64 * h + part % 2 * 32 + l) >> (part / 2 * 4) & 15;
      const int high = byte(128 + 32 * h + l) >> (2 * part) & 3;
      const auto sub = static_cast<std::int8_t>(byte(192 + j / 16));
      return {(low | high << 4) - 32, half(208) * static_cast<float>(sub)};
    }
    case DType::iq4_nl: return {kSteps[nibble(2)], half(0)};
    case DType::iq4_xs: {
      const std::size_t part = j / 32;
      const int low = byte(4 + part / 2) >> (part % 2 * 4) & 15;
      const int high = byte(2 + part / 4) >> (part % 4 * 2) & 3;
      const int pair = byte(8 + 16 * part + j % 16);
      return {kSteps[j % 32 < 16 ? pair & 15 : pair >> 4],
              half(0) * static_cast<float>(low + 16 * high - 32)};
    }
    case DType::mxfp4: {
      constexpr int kTwice[] = {0, 1, 2, 3, 4, 6, 8, 12};
      const int code = nibble(1), twice = kTwice[code & 7];
      const float scale = byte(0) == 255 ? std::numeric_limits<float>::quiet_NaN()
                                         : std::ldexp(1.0f, byte(0) - 128);
      return {code < 8 ? twice : -twice, scale};
    }
    case DType::f32:
    case DType::f16:
    case DType::bf16:
    case DType::u8: break;  // no blocks
  }
  return {};
}

}  // namespace support
