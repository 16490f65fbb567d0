// SPDX-License-Identifier: Apache-2.0
/// elementwise_test.cpp: sums and multiples of vectors are exactly the loop.
#include "flashlm/compute/cpu/kernels/elementwise.hpp"

#include "support/catch.hpp"
#include "support/kernels.hpp"

namespace kernels = flashlm::kernels;
using namespace support;

TEST_CASE("add rounds once per element, at any size and address") {
  for (std::size_t n : support::kSizes) {
    for (std::size_t offset : {0u, 1u}) {
      const std::vector<float> x = random_numbers(n + offset, n);
      std::vector<float> y = random_numbers(n + offset, n + 1), want = y;
      for (std::size_t i = offset; i < n + offset; ++i) want[i] += x[i];
      kernels::add(std::span(x).subspan(offset), std::span(y).subspan(offset));
      CAPTURE(n, offset);
      REQUIRE(support::same_bits(y, want));
    }
  }
}

TEST_CASE("scale rounds once per element, at any size") {
  for (std::size_t n : support::kSizes) {
    std::vector<float> x = random_numbers(n, n), want = x;
    for (float& value : want) value *= 0.7f;
    kernels::scale(x, 0.7f);
    REQUIRE(support::same_bits(x, want));
  }
}
