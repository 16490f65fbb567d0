// SPDX-License-Identifier: Apache-2.0
/// kernels.hpp: what the kernel tests share: instruction sets, seeded numbers, weights at any
/// address.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/compute/cpu/isa/cpu.hpp"
#include "support/formats.hpp"
#include "support/same_bits.hpp"

namespace support {

using flashlm::DType;
using flashlm::Isa;

/// Sizes around the widths of vectors, and one large.
inline constexpr std::size_t kSizes[] = {0, 1, 7, 8, 9, 31, 33, 4097};

/// What a row of at least `n` numbers may have: whole blocks of a block format.
inline std::size_t row_size(DType dtype, std::size_t n) {
  const std::size_t numbers = flashlm::format_of(dtype).numbers;
  return (n + numbers - 1) / numbers * numbers;
}

/// The instruction sets that this processor can run.
inline std::vector<Isa> isas() {
  std::vector<Isa> result;
  for (Isa isa : {Isa::scalar, Isa::neon, Isa::avx2, Isa::avx512}) {
    if (flashlm::supports(isa)) result.push_back(isa);
  }
  return result;
}

/// What a kernel on weights is compiled for.
struct Variant {
  Isa isa;
  DType dtype;
};

/// The formats of the table for which `Holds`.
template <bool (*Holds)(DType)>
inline constexpr auto kFormats = [] {
  constexpr auto holds = [](const flashlm::NumberFormat& format) { return Holds(format.dtype); };
  std::array<DType, std::ranges::count_if(flashlm::kNumberFormats, holds)> result{};
  std::size_t at = 0;
  for (const flashlm::NumberFormat& format : flashlm::kNumberFormats) {
    if (holds(format)) result[at++] = format.dtype;
  }
  return result;
}();
inline constexpr auto& kPlain = kFormats<flashlm::is_plain>;
inline constexpr auto& kBlocks = kFormats<flashlm::is_block>;
inline constexpr auto& kNumbers = kFormats<flashlm::is_number>;
inline constexpr DType kCached[] = {DType::f32, DType::f16};  // keys and values

/// Every instruction set that this processor can run, with every one of `dtypes`.
inline std::vector<Variant> variants(std::span<const DType> dtypes = kNumbers) {
  std::vector<Variant> result;
  for (const Isa isa : isas()) {
    for (const DType dtype : dtypes) result.push_back({isa, dtype});
  }
  return result;
}

/// n numbers in [-size, size).
inline std::vector<float> random_numbers(std::size_t n, std::uint64_t seed, float size = 1) {
  flashlm::Random random(seed);
  std::vector<float> result(n);
  for (float& number : result) number = random.uniform(-size, size);
  return result;
}

/// The value of number `i` of a row, by the definition of its format, one number at a time.
inline float value_at(DType dtype, const std::byte* row, std::size_t i) {
  if (flashlm::is_block(dtype)) return block_number(dtype, row, i).value();
  const auto number = [&]<class T>(T value) {
    std::memcpy(&value, row + i * sizeof value, sizeof value);
    return value;
  };
  if (dtype == DType::f32) return number(0.0f);
  if (dtype == DType::f16) return flashlm::f16_to_f32(number(std::uint16_t{}));
  return flashlm::bf16_to_f32(number(std::uint16_t{}));
}

/// Random weights [rows, cols] that begin `offset` bytes into their memory, with `padding` bytes
/// between rows and none behind the last: the address sanitiser sees every read past the end.
/// Blocks are random bytes with scales below 1.
class Weights {
 public:
  Weights(DType dtype, std::size_t rows, std::size_t cols, std::size_t offset = 0,
          std::size_t padding = 0)
      : dtype_(dtype),
        rows_(rows),
        cols_(cols),
        offset_(offset),
        stride_(flashlm::row_bytes(dtype, cols) + padding) {
    bytes_.resize(offset + rows * stride_ - (rows == 0 ? 0 : padding));
    if (flashlm::is_block(dtype)) {
      fill_blocks();
    } else {
      const std::vector<float> numbers = random_numbers(rows * cols, rows * 131 + cols);
      for (std::size_t i = 0; i < numbers.size(); ++i) set(i / cols, i % cols, numbers[i]);
    }
  }

  flashlm::MatrixView view() const {
    return {bytes_.data() + offset_, dtype_, rows_, cols_, stride_};
  }

  /// The bytes of a block of a row.
  std::byte* block(std::size_t row, std::size_t index) {
    return bytes_.data() + offset_ + row * stride_ + index * flashlm::format_of(dtype_).bytes;
  }

  /// Not for block formats.
  void set(std::size_t row, std::size_t col, float value) {
    std::byte* at = bytes_.data() + offset_ + row * stride_ + flashlm::row_bytes(dtype_, col);
    const std::uint16_t half =
        dtype_ == DType::f16
            ? flashlm::f32_to_f16(value)
            : static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
    if (dtype_ == DType::f32) {
      std::memcpy(at, &value, sizeof value);
    } else {
      std::memcpy(at, &half, sizeof half);
    }
  }

  double at(std::size_t row, std::size_t col) const {
    return static_cast<double>(value_at(dtype_, view().row(row), col));
  }

  /// The same numbers in f32.
  Weights widened() const {
    Weights result(DType::f32, rows_, cols_);
    for (std::size_t i = 0; i < rows_ * cols_; ++i) {
      result.set(i / cols_, i % cols_, value_at(dtype_, view().row(i / cols_), i % cols_));
    }
    return result;
  }

 private:
  void fill_blocks() {
    flashlm::Random random(rows_ * 131 + cols_);
    const std::size_t block_bytes = flashlm::format_of(dtype_).bytes;
    const float size = scale_size(dtype_);
    for (std::size_t row = 0; row < rows_; ++row) {
      std::byte* begin = bytes_.data() + offset_ + row * stride_;
      for (std::byte* at = begin; at < begin + flashlm::row_bytes(dtype_, cols_);
           at += block_bytes) {
        for (std::size_t i = 0; i < block_bytes; ++i)
          at[i] = static_cast<std::byte>(random.next() >> 32);
        const float scale = random.uniform(-size, size);
        if (dtype_ == DType::mxfp4) {
          at[0] = static_cast<std::byte>(120 + (std::to_integer<int>(at[0]) & 7));
        } else {
          put_half(at + scale_at(dtype_), scale);
        }
        if (has_minimum(dtype_)) put_half(at + minimum_at(dtype_), random.uniform(-size, size));
      }
    }
  }

  DType dtype_;
  std::size_t rows_, cols_, offset_, stride_;
  std::vector<std::byte> bytes_;
};

}  // namespace support
