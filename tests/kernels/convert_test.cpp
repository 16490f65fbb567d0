// SPDX-License-Identifier: Apache-2.0
/// convert_test.cpp: every half, and rounding, against the conversions of single numbers.
#include "flashlm/kernels/convert.hpp"

#include <bit>
#include <cmath>
#include <numeric>

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
    kernels::table(isa).f16_to_f32(reinterpret_cast<const std::byte*>(halves.data()), out.data(), 65536);
    kernels::table(isa).f32_to_f16(out.data(), reinterpret_cast<std::byte*>(back.data()), 65536);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < 65536; ++i) {
      const float exact = flashlm::f16_to_f32(halves[i]);
      if (std::isnan(exact)) {
        wrong += !std::isnan(out[i]) || !std::isnan(flashlm::f16_to_f32(back[i]));
      } else {
        wrong += std::bit_cast<std::uint32_t>(exact) != std::bit_cast<std::uint32_t>(out[i]) || back[i] != halves[i];
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
    for (std::uint32_t mantissa : {0u, 0x0fffu, 0x1000u, 0x1001u, 0x3000u, 0x7fffffu, 0x7ff000u, 0x7fefffu}) {
      for (std::uint32_t sign : {0u, 0x80000000u}) x.push_back(std::bit_cast<float>(sign | exponent << 23 | mantissa));
    }
    x.push_back(std::bit_cast<float>(exponent << 23 | static_cast<std::uint32_t>(random.next() & 0x7fffffu)));
  }
  for (Isa isa : isas()) {
    std::vector<std::uint16_t> got(x.size());
    kernels::table(isa).f32_to_f16(x.data(), reinterpret_cast<std::byte*>(got.data()), x.size());
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
        for (std::size_t i = 0; i < n; ++i) REQUIRE(std::abs(x[i] - once[i]) <= 0x1p-8f * std::abs(x[i]) + 0x1p-24f);
      }
    }
  }
}

TEST_CASE("bfloat16 rounds to the nearest, ties to even, and keeps NaN") {
  REQUIRE(kernels::f32_to_bf16(1.0f) == 0x3f80);
  REQUIRE(kernels::f32_to_bf16(std::bit_cast<float>(0x3f808000u)) == 0x3f80);
  REQUIRE(kernels::f32_to_bf16(std::bit_cast<float>(0x3f818000u)) == 0x3f82);
  REQUIRE(kernels::f32_to_bf16(std::bit_cast<float>(0x3f808001u)) == 0x3f81);
  REQUIRE(kernels::f32_to_bf16(std::bit_cast<float>(0x7f7fffffu)) == 0x7f80);
  REQUIRE(std::isnan(flashlm::bf16_to_f32(kernels::f32_to_bf16(std::bit_cast<float>(0x7f800001u)))));
}

TEST_CASE("bytes are no numbers: converting u8 is an ArgumentError") {
  std::vector<float> x(1);
  std::byte row[4];
  REQUIRE_THROWS_AS(kernels::to_f32(DType::u8, row, x), flashlm::ArgumentError);
  REQUIRE_THROWS_AS(kernels::from_f32(x, DType::u8, row), flashlm::ArgumentError);
}
