// SPDX-License-Identifier: Apache-2.0
/// rope_test.cpp: rotation of pairs against plain loops in double.
#include "flashlm/compute/cpu/kernels/rope.hpp"

#include <cmath>
#include <limits>

#include "flashlm/compute/cpu/isa/dispatch.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

namespace kernels = flashlm::kernels;
using flashlm::Isa;
using namespace support;

TEST_CASE("pairs of the two halves are rotated by their angle") {
  for (Isa isa : isas()) {
    for (std::size_t half : support::kSizes) {
      const std::vector<float> before = random_numbers(2 * half, half, 4),
                               angles = random_numbers(half, half + 1, 3);
      std::vector<float> cosines(half), sines(half), head = before;
      for (std::size_t i = 0; i < half; ++i) {
        cosines[i] = std::cos(angles[i]);
        sines[i] = std::sin(angles[i]);
      }
      kernels::table(isa).rope(head.data(), cosines.data(), sines.data(), half);
      for (std::size_t i = 0; i < half; ++i) {
        CAPTURE(name(isa), half, i);
        const double a = static_cast<double>(before[i]), b = static_cast<double>(before[i + half]);
        const double c = static_cast<double>(cosines[i]), s = static_cast<double>(sines[i]);
        REQUIRE(std::abs(static_cast<double>(head[i]) - (a * c - b * s)) < 1e-6);
        REQUIRE(std::abs(static_cast<double>(head[i + half]) - (b * c + a * s)) < 1e-6);
      }
    }
  }
}

TEST_CASE("the angle 0 changes no bit, and NaN stays in its pair") {
  std::vector<float> head = random_numbers(20, 1), same = head;
  const std::vector<float> ones(10, 1.0f), zeros(10, 0.0f);
  kernels::rope(head, ones, zeros);
  REQUIRE(support::same_bits(head, same));
  head[12] = std::numeric_limits<float>::quiet_NaN();
  kernels::rope(head, ones, ones);
  for (std::size_t i = 0; i < 20; ++i) REQUIRE(std::isnan(head[i]) == (i % 10 == 2));
}
