// SPDX-License-Identifier: Apache-2.0
/// top_k_test.cpp: the largest numbers against a full sort.
#include "flashlm/compute/cpu/kernels/top_k.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

namespace kernels = flashlm::kernels;
using namespace support;
using Indices = std::vector<std::size_t>;

TEST_CASE("the k largest are the first of a stable sort, with many equals") {
  for (std::size_t n : {1u, 7u, 33u, 1000u}) {
    std::vector<float> x = random_numbers(n, n, 6);
    for (float& v : x) v = std::round(v);
    Indices sorted(n);
    std::iota(sorted.begin(), sorted.end(), std::size_t{0});
    std::stable_sort(sorted.begin(), sorted.end(),
                     [&](std::size_t a, std::size_t b) { return x[a] > x[b]; });
    for (std::size_t k : {std::size_t{0}, std::size_t{1}, n / 2, n}) {
      CAPTURE(n, k);
      Indices out(k);
      kernels::top_k(x, k, out);
      REQUIRE(out == Indices(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(k)));
    }
    REQUIRE(kernels::argmax(x) == sorted[0]);
  }
}

TEST_CASE("NaN loses against every number") {
  const float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
  const std::vector<float> x{nan, -inf, nan, 2, inf, 2};
  Indices out(6);
  kernels::top_k(x, 6, out);
  REQUIRE(out == Indices{4, 3, 5, 1, 0, 2});
  REQUIRE(kernels::argmax(x) == 4);
  REQUIRE(kernels::argmax(std::vector<float>{nan, -inf}) == 1);
  REQUIRE(kernels::argmax(std::vector<float>{nan, nan}) == 0);
}

TEST_CASE("argmax takes the lowest index of equals, and zero equals minus zero") {
  REQUIRE(kernels::argmax(std::vector<float>{1, 3, 3, 2}) == 1);
  REQUIRE(kernels::argmax(std::vector<float>{-0.0f, 0.0f}) == 0);
}

TEST_CASE("too few numbers or too little room is an ArgumentError") {
  const std::vector<float> x{1, 2};
  Indices out(1);
  REQUIRE_THROWS_AS(kernels::argmax({}), flashlm::ArgumentError);
  REQUIRE_THROWS_AS(kernels::top_k(x, 3, out), flashlm::ArgumentError);
  REQUIRE_THROWS_AS(kernels::top_k(x, 2, out), flashlm::ArgumentError);
}
