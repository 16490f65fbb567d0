// SPDX-License-Identifier: Apache-2.0
/// convert_test.cpp: every half, and rounding, against the conversions of single numbers.
#include "flashlm/compute/cpu/quantise/convert.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "flashlm/base/error.hpp"
#include "flashlm/compute/cpu/isa/dispatch.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

namespace kernels = flashlm::kernels;
using flashlm::DType;
using flashlm::Isa;
using namespace support;

TEST_CASE("every one of the 65536 halves becomes its float, and the same half again") {
  std::vector<std::uint16_t> halves(65536), back(65536);
  std::iota(halves.begin(), halves.end(), std::uint16_t{0});
  for (Isa isa : isas()) {
    std::vector<float> out(65536);
    kernels::table(isa).to_f32(DType::f16, reinterpret_cast<const std::byte*>(halves.data()),
                               out.data(), 65536);
    kernels::table(isa).from_f32(DType::f16, out.data(), reinterpret_cast<std::byte*>(back.data()),
                                 65536);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < 65536; ++i) {
      const float exact = flashlm::f16_to_f32(halves[i]);
      if (std::isnan(exact)) {
        wrong += !std::isnan(out[i]) || !std::isnan(flashlm::f16_to_f32(back[i]));
      } else {
        wrong += std::bit_cast<std::uint32_t>(exact) != std::bit_cast<std::uint32_t>(out[i]) ||
                 back[i] != halves[i];
      }
    }
    CAPTURE(name(isa));
    REQUIRE(wrong == 0);
  }
}

TEST_CASE("floats become the nearest half, ties to even, at every exponent") {
  flashlm::Random random(1);
  std::vector<float> x;
  for (std::uint32_t exponent = 0; exponent < 255; ++exponent) {
    for (std::uint32_t mantissa :
         {0u, 0x0fffu, 0x1000u, 0x1001u, 0x3000u, 0x7fffffu, 0x7ff000u, 0x7fefffu}) {
      for (std::uint32_t sign : {0u, 0x80000000u})
        x.push_back(std::bit_cast<float>(sign | exponent << 23 | mantissa));
    }
    x.push_back(std::bit_cast<float>(exponent << 23 |
                                     static_cast<std::uint32_t>(random.next() & 0x7fffffu)));
  }
  for (Isa isa : isas()) {
    std::vector<std::uint16_t> got(x.size());
    kernels::table(isa).from_f32(DType::f16, x.data(), reinterpret_cast<std::byte*>(got.data()),
                                 x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      CAPTURE(name(isa), x[i]);
      REQUIRE(got[i] == flashlm::f32_to_f16(x[i]));
    }
  }
}

TEST_CASE("rows of any length and address come back after a round trip") {
  for (DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    for (std::size_t n : support::kSizes) {
      for (std::size_t offset : {0u, 1u}) {
        CAPTURE(name(dtype), n, offset);
        const std::vector<float> x = random_numbers(n, n);
        std::vector<std::byte> row(flashlm::row_bytes(dtype, n) + offset), again = row;
        std::vector<float> once(n), twice(n);
        kernels::from_f32(x, dtype, row.data() + offset);
        kernels::to_f32(dtype, row.data() + offset, once);
        kernels::from_f32(once, dtype, again.data() + offset);
        kernels::to_f32(dtype, again.data() + offset, twice);
        REQUIRE(row == again);
        REQUIRE(same_bits(once, twice));
        for (std::size_t i = 0; i < n; ++i)
          REQUIRE(std::abs(x[i] - once[i]) <= 0x1p-8f * std::abs(x[i]) + 0x1p-24f);
      }
    }
  }
}

TEST_CASE("bfloat16 rounds to the nearest, ties to even, and keeps NaN") {
  REQUIRE(flashlm::f32_to_bf16(1.0f) == 0x3f80);
  REQUIRE(flashlm::f32_to_bf16(std::bit_cast<float>(0x3f808000u)) == 0x3f80);
  REQUIRE(flashlm::f32_to_bf16(std::bit_cast<float>(0x3f818000u)) == 0x3f82);
  REQUIRE(flashlm::f32_to_bf16(std::bit_cast<float>(0x3f808001u)) == 0x3f81);
  REQUIRE(flashlm::f32_to_bf16(std::bit_cast<float>(0x7f7fffffu)) == 0x7f80);
  REQUIRE(
      std::isnan(flashlm::bf16_to_f32(flashlm::f32_to_bf16(std::bit_cast<float>(0x7f800001u)))));
}

TEST_CASE("rows of every format become floats as their definition says") {
  for (const auto [isa, dtype] : variants()) {
    for (std::size_t size : {0u, 1u, 9u, 33u, 1000u}) {
      const std::size_t n = row_size(dtype, size);
      const Weights weights(dtype, 1, n, 1);
      std::vector<float> out(n), exact(n);
      kernels::table(isa).to_f32(dtype, weights.view().data, out.data(), n);
      for (std::size_t i = 0; i < n; ++i) exact[i] = value_at(dtype, weights.view().data, i);
      CAPTURE(name(isa), name(dtype), n);
      REQUIRE(same_bits(out, exact));
    }
  }
}

TEST_CASE(
    "a block of q8_0 has the bytes of ggml: steps of the largest magnitude by 127, to the "
    "nearest") {
  flashlm::Random random(8);
  for (int round = 0; round < 200; ++round) {
    const std::vector<float> x =
        random_numbers(32, random.next(), std::exp(random.uniform(-12.0f, 12.0f)));
    std::byte block[34];
    kernels::from_f32(x, DType::q8_0, block);
    float largest = 0;
    for (float value : x) largest = std::max(largest, std::abs(value));
    const float scale = largest / 127.0f, inverse = 1.0f / scale;
    std::uint16_t half;
    std::memcpy(&half, block, 2);
    REQUIRE(half == flashlm::f32_to_f16(scale));
    for (std::size_t i = 0; i < 32; ++i) {
      REQUIRE(static_cast<std::int8_t>(block[2 + i]) ==
              static_cast<int>(std::round(x[i] * inverse)));
    }
  }
}

TEST_CASE("a block of q4_0 has the bytes of ggml: the number of largest magnitude is at -8 steps") {
  flashlm::Random random(9);
  for (int round = 0; round < 200; ++round) {
    const std::vector<float> x =
        random_numbers(32, random.next(), std::exp(random.uniform(-12.0f, 10.0f)));
    std::byte block[18];
    kernels::from_f32(x, DType::q4_0, block);
    float largest = 0;
    for (float value : x) largest = std::abs(value) > std::abs(largest) ? value : largest;
    const float scale = largest / -8.0f, inverse = 1.0f / scale;
    std::uint16_t half;
    std::memcpy(&half, block, 2);
    REQUIRE(half == flashlm::f32_to_f16(scale));
    for (std::size_t i = 0; i < 32; ++i) {
      const double steps = static_cast<double>(x[i]) * static_cast<double>(inverse);
      const int nibble =
          i < 16 ? static_cast<int>(block[2 + i]) & 15 : static_cast<int>(block[2 + i - 16]) >> 4;
      REQUIRE(nibble == std::min(15, static_cast<int>(steps + 8.5)));
    }
  }
}

TEST_CASE("numbers come back from blocks at most a step away") {
  const auto step = [](DType dtype) {
    if (dtype == DType::q8_0) return 0.005f;
    if (dtype == DType::q6_k) return 0.04f;
    return dtype == DType::q5_0 || dtype == DType::q5_1 ? 0.07f : 0.14f;
  };
  for (const DType dtype : kBlocks) {
    if (!kernels::can_round(dtype)) continue;
    const std::vector<float> x = random_numbers(768, 2);
    std::vector<std::byte> row(flashlm::row_bytes(dtype, 768));
    std::vector<float> out(768);
    kernels::from_f32(x, dtype, row.data());
    kernels::to_f32(dtype, row.data(), out);
    for (std::size_t i = 0; i < 768; ++i) {
      CAPTURE(name(dtype), i);
      REQUIRE(std::abs(x[i] - out[i]) <= step(dtype));
    }
  }
}

TEST_CASE("a block of zeros stays zero, and one that holds a NaN or an infinity is NaN") {
  for (const DType dtype : kBlocks) {
    if (!kernels::can_round(dtype)) continue;
    const std::size_t numbers = flashlm::format_of(dtype).numbers, n = 3 * numbers;
    std::vector<float> x(n, 0.0f), out(n);
    std::vector<std::byte> row(flashlm::row_bytes(dtype, n));
    x[numbers + 8] = std::numeric_limits<float>::infinity();
    x[2 * numbers] = std::numeric_limits<float>::quiet_NaN();
    kernels::from_f32(x, dtype, row.data());
    kernels::to_f32(dtype, row.data(), out);
    CAPTURE(name(dtype));
    for (std::size_t i = 0; i < n; ++i) REQUIRE((i < numbers ? out[i] == 0 : std::isnan(out[i])));
    x.assign(n, std::numeric_limits<float>::denorm_min());
    kernels::from_f32(x, dtype, row.data());
    kernels::to_f32(dtype, row.data(), out);
    for (float value : out) REQUIRE(value == 0);
  }
}

TEST_CASE(
    "rounding to blocks of 256 has the same bytes on every instruction set, and little error") {
  const std::vector<float> x = random_numbers(256 * 8, 3);
  for (const auto& [dtype, most] : {std::pair{DType::q4_k, 0.07}, std::pair{DType::q6_k, 0.017}}) {
    std::vector<std::byte> first;
    for (const Isa isa : isas()) {
      std::vector<std::byte> row(flashlm::row_bytes(dtype, x.size()));
      REQUIRE(kernels::table(isa).from_f32(dtype, x.data(), row.data(), x.size()));
      if (first.empty()) first = row;
      CAPTURE(name(isa), name(dtype));
      REQUIRE(row == first);
    }
    double squares = 0, errors = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double number = x[i],
                   off = static_cast<double>(value_at(dtype, first.data(), i)) - number;
      squares += number * number;
      errors += off * off;
    }
    CHECK(std::sqrt(errors / squares) < most);
  }
}

TEST_CASE(
    "a format that nothing rounds to is an ArgumentError that names those that something does") {
  std::vector<float> x(256);
  std::vector<std::byte> row(256);
  REQUIRE_FALSE(kernels::can_round(DType::mxfp4));
  REQUIRE_THROWS_WITH(kernels::from_f32(x, DType::mxfp4, row.data()),
                      "[from_f32] number format: expected " +
                          flashlm::names_of(kernels::can_round) + ", got mxfp4");
}

TEST_CASE("bytes are no numbers: converting u8 is an ArgumentError") {
  std::vector<float> x(1);
  std::byte row[4];
  REQUIRE_THROWS_AS(kernels::to_f32(DType::u8, row, x), flashlm::ArgumentError);
  REQUIRE_THROWS_AS(kernels::from_f32(x, DType::u8, row), flashlm::ArgumentError);
}
