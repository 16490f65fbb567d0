// SPDX-License-Identifier: Apache-2.0
#include "flashlm/compute/cpu/quantise/requantise.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/compute/cpu/quantise/convert.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using namespace flashlm::kernels;

namespace {

constexpr std::array kFormats{DType::f32,  DType::f16,  DType::bf16, DType::q8_0,
                              DType::q4_0, DType::q4_k, DType::q6_k};

std::vector<float> random_numbers(std::size_t n, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> numbers(n);
  for (float& number : numbers) number = random.uniform(-3, 3);
  return numbers;
}

std::vector<std::byte> stored(const std::vector<float>& numbers, DType dtype) {
  std::vector<std::byte> bytes(row_bytes(dtype, numbers.size()));
  from_f32(numbers, dtype, bytes.data());
  return bytes;
}

std::vector<float> numbers_of(const std::vector<std::byte>& bytes, DType dtype, std::size_t n) {
  std::vector<float> numbers(n);
  to_f32(dtype, bytes.data(), numbers);
  return numbers;
}

}  // namespace

TEST_CASE("a row becomes what from_f32 makes of its numbers, and the loss is that of plain loops") {
  const std::size_t n = GENERATE(0, 256, 768, 1024, 1280, 4096);
  for (const DType from : kFormats) {
    const std::vector<std::byte> row = stored(random_numbers(n, 5), from);
    const std::vector<float> in = numbers_of(row, from, n);
    for (const DType to : kFormats) {
      if (from == to) continue;
      std::vector<std::byte> out(row_bytes(to, n));
      const Loss loss = requantise(from, row.data(), n, to, out.data());
      REQUIRE(out == stored(in, to));
      const std::vector<float> back = numbers_of(out, to, n);
      double squares = 0, errors = 0;
      float largest = 0;
      for (std::size_t i = 0; i < n; ++i) {
        squares += double{in[i]} * in[i];
        errors += std::pow(double{back[i]} - in[i], 2);
        largest = std::max(largest, std::abs(in[i]));
      }
      CHECK(loss.largest == largest);
      CHECK(loss.squares == Approx(squares).epsilon(1e-12));
      CHECK(loss.squared_error == Approx(errors).epsilon(1e-12));
    }
  }
}

TEST_CASE("formats with more bits lose nothing, and the same format is only looked at") {
  constexpr std::size_t kNumbers = 256;
  const std::vector<float> numbers = random_numbers(kNumbers, 6);
  for (const DType from : kFormats) {
    const std::vector<std::byte> row = stored(numbers, from);
    std::vector<std::byte> out(row_bytes(DType::f32, kNumbers));
    CHECK(requantise(from, row.data(), kNumbers, DType::f32, out.data()).squared_error == 0);
    const Loss seen = requantise(from, row.data(), kNumbers, from, nullptr);
    CHECK(seen.largest > 2);
    CHECK(seen.squares == 0);
  }
}

TEST_CASE("numbers that are not finite are seen in every format, and NaN before infinity") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const DType from : kFormats) {
    for (const float odd : {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
      std::vector<float> numbers = random_numbers(2048, 7);
      numbers[1777] = odd;
      const std::vector<std::byte> row = stored(numbers, from);
      std::vector<std::byte> out(row_bytes(DType::f32, 2048));
      for (const DType to : {from, DType::f32}) {
        const float largest = requantise(from, row.data(), 2048, to, out.data()).largest;
        CHECK_FALSE(std::isfinite(largest));
        CHECK((std::isnan(largest) || !std::isnan(odd)));
      }
    }
  }
}

TEST_CASE("losses add up") {
  Loss loss{2, 3, 4};
  loss += {1, 10, 20};
  CHECK(loss.largest == 2);
  CHECK(loss.squares == 13);
  CHECK(loss.squared_error == 24);
  loss += {std::numeric_limits<float>::infinity(), 0, 0};
  loss += {std::numeric_limits<float>::quiet_NaN(), 0, 0};
  loss += {std::numeric_limits<float>::infinity(), 0, 0};
  CHECK(std::isnan(loss.largest));
}

TEST_CASE("bytes that are no weights are an ArgumentError") {
  std::vector<std::byte> bytes(64);
  CHECK_THROWS_AS(requantise(DType::u8, bytes.data(), 32, DType::f32, bytes.data()), ArgumentError);
}
