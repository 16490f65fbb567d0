// SPDX-License-Identifier: Apache-2.0
/// norm_test.cpp: root mean square and layer normalisation against plain loops in double.
#include "flashlm/compute/cpu/kernels/norm.hpp"

#include <cmath>
#include <limits>

#include "flashlm/compute/cpu/isa/dispatch.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

namespace kernels = flashlm::kernels;
using flashlm::Isa;
using namespace support;

TEST_CASE("a normalised vector equals plain loops in double, also in place") {
  for (Isa isa : isas()) {
    for (std::size_t n : support::kSizes) {
      std::vector<float> x = random_numbers(n, n, 5);
      const std::vector<float> weight = random_numbers(n, n + 1, 2);
      std::vector<float> out(n);
      kernels::table(isa).rms_norm(x.data(), weight.data(), 1e-5f, out.data(), n);
      double squares = 0;
      for (float v : x) squares += static_cast<double>(v) * static_cast<double>(v);
      const double scale = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
      for (std::size_t i = 0; i < n; ++i) {
        CAPTURE(name(isa), n, i);
        const double exact = static_cast<double>(x[i]) * scale * static_cast<double>(weight[i]);
        REQUIRE(std::abs(static_cast<double>(out[i]) - exact) <= 2e-6 * std::abs(exact));
      }
      kernels::table(isa).rms_norm(x.data(), weight.data(), 1e-5f, x.data(), n);
      REQUIRE(support::same_bits(x, out));
    }
  }
}

TEST_CASE("a layer norm equals plain loops in double, also in place and far from zero") {
  for (Isa isa : isas()) {
    for (std::size_t n : support::kSizes) {
      for (const float shift : {0.0f, 100.0f}) {
        std::vector<float> x = random_numbers(n, n, 5);
        for (float& value : x) value += shift;
        const std::vector<float> weight = random_numbers(n, n + 1, 2),
                                 bias = random_numbers(n, n + 2, 2);
        std::vector<float> out(n);
        kernels::table(isa).layer_norm(x.data(), weight.data(), bias.data(), 1e-5f, out.data(), n);
        double mean = 0, squares = 0;
        for (float v : x) mean += static_cast<double>(v) / static_cast<double>(n);
        for (float v : x)
          squares += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean);
        const double scale = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
        for (std::size_t i = 0; i < n; ++i) {
          CAPTURE(name(isa), n, i, shift);
          const double exact =
              (static_cast<double>(x[i]) - mean) * scale * static_cast<double>(weight[i]) +
              static_cast<double>(bias[i]);
          REQUIRE(std::abs(static_cast<double>(out[i]) - exact) <= (shift == 0 ? 4e-6 : 1e-4));
        }
        kernels::table(isa).layer_norm(x.data(), weight.data(), bias.data(), 1e-5f, x.data(), n);
        REQUIRE(support::same_bits(x, out));
      }
    }
  }
}

TEST_CASE("zeros stay zero and one NaN makes all NaN") {
  for (Isa isa : isas()) {
    std::vector<float> x(19, 0.0f), out(19, 1.0f);
    const std::vector<float> weight(19, 1.0f);
    kernels::table(isa).rms_norm(x.data(), weight.data(), 1e-6f, out.data(), 19);
    for (float v : out) REQUIRE(v == 0.0f);
    x[18] = std::numeric_limits<float>::quiet_NaN();
    kernels::table(isa).rms_norm(x.data(), weight.data(), 1e-6f, out.data(), 19);
    for (float v : out) REQUIRE(std::isnan(v));
  }
}

TEST_CASE("the door uses the chosen kernels") {
  const std::vector<float> x{3, 4}, weight{1, 2};
  std::vector<float> out(2);
  kernels::rms_norm(x, weight, 0, out);
  REQUIRE(out[0] == Approx(3 / std::sqrt(12.5)));
  REQUIRE(out[1] == Approx(8 / std::sqrt(12.5)));
  const std::vector<float> bias{10, 20};
  kernels::layer_norm(x, weight, bias, 0, out);
  REQUIRE(out == std::vector<float>{9, 22});
}
