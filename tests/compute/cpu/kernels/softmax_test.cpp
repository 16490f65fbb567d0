// SPDX-License-Identifier: Apache-2.0
/// softmax_test.cpp: probabilities and the exponential function against the math library in double.
#include "flashlm/compute/cpu/kernels/softmax.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "flashlm/compute/cpu/isa/dispatch.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

namespace kernels = flashlm::kernels;
using flashlm::Isa;
using namespace support;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

TEST_CASE("probabilities equal the math library in double") {
  for (Isa isa : isas()) {
    for (std::size_t n : support::kSizes) {
      const std::vector<float> scores = random_numbers(n, n, 12);
      std::vector<float> x = scores;
      kernels::table(isa).softmax(x.data(), n);
      double total = 0;
      for (float score : scores) total += std::exp(static_cast<double>(score));
      for (std::size_t i = 0; i < n; ++i) {
        CAPTURE(name(isa), n, i);
        const double exact = std::exp(static_cast<double>(scores[i])) / total;
        REQUIRE(std::abs(static_cast<double>(x[i]) - exact) <= 3e-6 * exact);
      }
    }
  }
}

TEST_CASE("exp is within 2 units in the last place from -87 to -17") {
  // Of the scores 0 and x < -17 the sum rounds to 1, so the second probability is exp(x).
  for (Isa isa : isas()) {
    double worst = 0;
    for (float x = -87.0f; x < -17.0f; x += 0.00371f) {
      float scores[] = {0.0f, x};
      kernels::table(isa).softmax(scores, 2);
      const double exact = std::exp(static_cast<double>(x));
      const float next = std::nextafter(static_cast<float>(exact), kInfinity);
      const double unit =
          static_cast<double>(next) - static_cast<double>(static_cast<float>(exact));
      worst = std::max(worst, std::abs(static_cast<double>(scores[1]) - exact) / unit);
    }
    CAPTURE(name(isa));
    REQUIRE(worst <= 2);
  }
}

TEST_CASE("probabilities of very small scores are subnormal or zero") {
  for (Isa isa : isas()) {
    float scores[] = {0.0f, -100.0f, -104.0f, -1e30f, -kInfinity};
    kernels::table(isa).softmax(scores, 5);
    CAPTURE(name(isa));
    REQUIRE(scores[0] == 1.0f);
    REQUIRE(static_cast<double>(scores[1]) == Approx(std::exp(-100.0)).epsilon(0.05));
    for (std::size_t i : {2u, 3u, 4u}) REQUIRE(scores[i] == 0.0f);
  }
}

TEST_CASE("huge scores do not overflow, and NaN, infinity or nothing possible make all NaN") {
  for (Isa isa : isas()) {
    CAPTURE(name(isa));
    std::vector<float> x(19, 3e38f);
    kernels::table(isa).softmax(x.data(), 19);
    for (float p : x) REQUIRE(p == Approx(1.0 / 19));
    for (float poison : {std::nanf(""), kInfinity}) {
      for (std::size_t at : {0u, 7u, 18u}) {
        std::vector<float> y(19, 1.0f);
        y[at] = poison;
        kernels::table(isa).softmax(y.data(), 19);
        for (std::size_t i = 0; i < 19; ++i)
          REQUIRE((std::isnan(y[i]) || (i != at && y[i] == 0.0f)));
        REQUIRE(std::isnan(y[at]));
      }
    }
    std::vector<float> none(5, -kInfinity);
    kernels::table(isa).softmax(none.data(), 5);
    for (float p : none) REQUIRE(std::isnan(p));
  }
}
