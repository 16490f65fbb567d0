// SPDX-License-Identifier: Apache-2.0
/// dtype_test.cpp: conversions of single numbers, over all halves and against their definition.
#include "flashlm/base/dtype.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "flashlm/base/error.hpp"
#include "flashlm/base/random.hpp"
#include "support/catch.hpp"

using namespace flashlm;

namespace {

/// The value of a finite half by the definition of IEEE 754, in double.
double value_of(std::uint16_t half) {
  const int exponent = (half >> 10) & 0x1f;
  const int mantissa = half & 0x3ff;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return (half & 0x8000) ? -magnitude : magnitude;
}

bool is_nan(std::uint16_t half) { return (half & 0x7fff) > 0x7c00; }

}  // namespace

TEST_CASE("every half becomes the float of the same value") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = f16_to_f32(half);
    INFO("half " << bits);
    if (is_nan(half)) {
      REQUIRE(std::isnan(value));
    } else if ((half & 0x7fff) == 0x7c00) {
      REQUIRE(value == (half & 0x8000 ? -1 : 1) * std::numeric_limits<float>::infinity());
    } else {
      REQUIRE(static_cast<double>(value) == value_of(half));
    }
    REQUIRE(std::signbit(value) == ((half & 0x8000) != 0));
  }
}

TEST_CASE("every half survives the way to float and back") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const std::uint16_t back = f32_to_f16(f16_to_f32(half));
    INFO("half " << bits);
    REQUIRE((is_nan(half) ? is_nan(back) && (back & 0x8000) == (half & 0x8000) : back == half));
  }
}

TEST_CASE(
    "a float between two halves goes to the nearer one, and from the middle to the even one") {
  for (std::uint16_t low = 0; low < 0x7bff; ++low) {
    const auto high = static_cast<std::uint16_t>(low + 1);
    // Exact: a middle needs one bit more than a half has.
    const auto middle = static_cast<float>((value_of(low) + value_of(high)) / 2);
    INFO("half " << low);
    REQUIRE(f32_to_f16(middle) == (low % 2 == 0 ? low : high));
    REQUIRE(f32_to_f16(std::nextafter(middle, 0.0f)) == low);
    REQUIRE(f32_to_f16(std::nextafter(middle, 1e9f)) == high);
    REQUIRE(f32_to_f16(-middle) == ((low % 2 == 0 ? low : high) | 0x8000));
  }
}

TEST_CASE("a random float becomes a half at most half a step away") {
  Random random(7);
  for (int index = 0; index < 200000; ++index) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random.next()));
    if (!(std::fabs(value) < 65504)) continue;
    const std::uint16_t half = f32_to_f16(value);
    const int exponent = std::max((half >> 10) & 0x1f, 1);
    INFO("float " << value);
    REQUIRE(std::fabs(value_of(half) - static_cast<double>(value)) <=
            std::ldexp(0.5, exponent - 25));
  }
}

TEST_CASE("a float beyond the largest half becomes infinity, one below the smallest becomes zero") {
  CHECK(f32_to_f16(65504) == 0x7bff);
  CHECK(f32_to_f16(std::nextafter(65520.0f, 0.0f)) == 0x7bff);
  CHECK(f32_to_f16(65520) == 0x7c00);
  CHECK(f32_to_f16(-1e30f) == 0xfc00);
  CHECK(f32_to_f16(std::numeric_limits<float>::infinity()) == 0x7c00);
  CHECK(f32_to_f16(0x1p-25f) == 0);
  CHECK(f32_to_f16(std::nextafter(0x1p-25f, 1.0f)) == 1);
  CHECK(f32_to_f16(-0.0f) == 0x8000);
  CHECK(is_nan(f32_to_f16(std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("a bfloat16 is the upper half of a float") {
  CHECK(bf16_to_f32(0x3f80) == 1.0f);
  CHECK(bf16_to_f32(0xc020) == -2.5f);
  CHECK(bf16_to_f32(0x0001) == std::bit_cast<float>(0x00010000u));
  CHECK(std::isinf(bf16_to_f32(0x7f80)));
}

TEST_CASE("a number format has one name and a row of it a size") {
  CHECK(row_bytes(DType::f32, 3) == 12);
  CHECK(row_bytes(DType::f16, 3) == 6);
  CHECK(row_bytes(DType::bf16, 3) == 6);
  CHECK(row_bytes(DType::u8, 3) == 3);
  CHECK(row_bytes(DType::q8_0, 64) == 68);
  CHECK(row_bytes(DType::q4_0, 64) == 36);
  CHECK(row_bytes(DType::q4_k, 512) == 288);
  CHECK(row_bytes(DType::q6_k, 512) == 420);
  CHECK_THROWS_AS(parse_dtype("F32"), FormatError);
}

TEST_CASE("every row of the table of number formats is found by its name, and is of one kind") {
  for (const NumberFormat& format : kNumberFormats) {
    CAPTURE(format.name);
    CHECK(&format_of(format.dtype) == &format);
    CHECK(name(format.dtype) == format.name);
    CHECK(parse_dtype(format.name) == format.dtype);
    CHECK(is_block(format.dtype) == (format.numbers > 1));
    CHECK(is_block(format.dtype) + is_plain(format.dtype) == is_number(format.dtype));
    CHECK(row_bytes(format.dtype, 3u * format.numbers) == 3u * format.bytes);
    CHECK(format.gguf_name.empty() == (format.gguf_type < 0));
  }
}

TEST_CASE("numbers share a scale in the formats of blocks, and in no other") {
  for (DType dtype : {DType::f32, DType::f16, DType::bf16, DType::u8}) CHECK_FALSE(is_block(dtype));
  for (DType dtype : {DType::q8_0, DType::q4_k, DType::mxfp4}) CHECK(is_block(dtype));
}

TEST_CASE("messages list number formats by what they are") {
  CHECK(names_of(is_plain) == "f32, f16 or bf16");
  CHECK(names_of(is_block) ==
        "q8_0, q4_0, q4_1, q5_0, q5_1, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl, iq4_xs or "
        "mxfp4");
  CHECK(names_of(+[](DType dtype) { return dtype == DType::u8; }) == "u8");
  CHECK(names_of(+[](DType) { return false; }).empty());
  CHECK_THROWS_WITH(
      parse_dtype("Q4"),
      "[dtype] unknown number format: expected f32, f16, bf16, q8_0, q4_0, q4_1, "
      "q5_0, q5_1, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl, iq4_xs, mxfp4 or u8, got 'Q4'");
}
