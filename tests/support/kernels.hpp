// SPDX-License-Identifier: Apache-2.0
/// kernels.hpp: what the kernel tests share: instruction sets, seeded numbers, weights at any address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "flashlm/base/cpu.hpp"
#include "flashlm/base/dtype.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/random.hpp"

namespace support {

/// Sizes around the widths of vectors, and one large.
inline constexpr std::size_t kSizes[] = {0, 1, 7, 8, 9, 31, 33, 4097};

using flashlm::DType;
using flashlm::Isa;

/// The instruction sets that this processor can run.
inline std::vector<Isa> isas() {
  std::vector<Isa> result;
  for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512}) {
    if (flashlm::supports(isa)) result.push_back(isa);
  }
  return result;
}

/// What a kernel on weights is compiled for.
struct Variant {
  Isa isa;
  DType dtype;
};

/// Every instruction set that this processor can run, with every number format that has kernels.
inline std::vector<Variant> variants() {
  std::vector<Variant> result;
  for (const Isa isa : isas()) {
    for (const DType dtype : {DType::f32, DType::f16}) result.push_back({isa, dtype});
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

/// True if both have the same bits.
inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

/// Random weights [rows, cols] that begin `offset` bytes into their memory, with `padding` bytes between rows and none
/// behind the last: the address sanitiser sees every read past the end.
class Weights {
 public:
  Weights(DType dtype, std::size_t rows, std::size_t cols, std::size_t offset = 0, std::size_t padding = 0)
      : dtype_(dtype), rows_(rows), cols_(cols), offset_(offset), stride_(flashlm::row_bytes(dtype, cols) + padding) {
    bytes_.resize(offset + rows * stride_ - (rows == 0 ? 0 : padding));
    const std::vector<float> numbers = random_numbers(rows * cols, rows * 131 + cols);
    for (std::size_t i = 0; i < numbers.size(); ++i) set(i / cols, i % cols, numbers[i]);
  }

  flashlm::MatrixView view() const { return {bytes_.data() + offset_, dtype_, rows_, cols_, stride_}; }

  void set(std::size_t row, std::size_t col, float value) {
    std::byte* at = bytes_.data() + offset_ + row * stride_ + flashlm::row_bytes(dtype_, col);
    const std::uint16_t half = flashlm::f32_to_f16(value);
    if (dtype_ == DType::f32) {
      std::memcpy(at, &value, sizeof value);
    } else {
      std::memcpy(at, &half, sizeof half);
    }
  }

  double at(std::size_t row, std::size_t col) const {
    const std::byte* from = bytes_.data() + offset_ + row * stride_ + flashlm::row_bytes(dtype_, col);
    float value = 0;
    std::uint16_t half = 0;
    if (dtype_ == DType::f32) {
      std::memcpy(&value, from, sizeof value);
      return value;
    }
    std::memcpy(&half, from, sizeof half);
    return flashlm::f16_to_f32(half);
  }

 private:
  DType dtype_;
  std::size_t rows_, cols_, offset_, stride_;
  std::vector<std::byte> bytes_;
};

}  // namespace support
