// SPDX-License-Identifier: Apache-2.0
/// activation_test.cpp: the functions of neurons against the math library in double.
#include "flashlm/compute/cpu/kernels/activation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "flashlm/compute/cpu/isa/dispatch.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

namespace kernels = flashlm::kernels;
using flashlm::Isa;
using namespace support;

TEST_CASE("silu times up equals the math library in double at every size") {
  for (Isa isa : isas()) {
    for (std::size_t n : support::kSizes) {
      const std::vector<float> gate = random_numbers(n, n, 20), up = random_numbers(n, n + 1, 3);
      std::vector<float> out(n);
      kernels::table(isa).smooth(kernels::Activation::silu, gate.data(), up.data(), out.data(), n);
      for (std::size_t i = 0; i < n; ++i) {
        CAPTURE(name(isa), n, gate[i]);
        const double g = static_cast<double>(gate[i]);
        const double exact = g / (1 + std::exp(-g)) * static_cast<double>(up[i]);
        REQUIRE(std::abs(static_cast<double>(out[i]) - exact) <= 5e-7 * std::abs(exact));
      }
      std::vector<float> in_place = gate;
      kernels::table(isa).smooth(kernels::Activation::silu, in_place.data(), up.data(),
                                 in_place.data(), n);
      REQUIRE(support::same_bits(in_place, out));
    }
  }
}

TEST_CASE("silu of very small, very large and no numbers") {
  constexpr float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> gate{-inf, -1000, -100, -88.5f, 0, 88.5f, 1000, inf, std::nanf("")};
  const std::vector<float> up(gate.size(), 1.0f);
  for (Isa isa : isas()) {
    CAPTURE(name(isa));
    std::vector<float> out(gate.size());
    kernels::table(isa).smooth(kernels::Activation::silu, gate.data(), up.data(), out.data(),
                               gate.size());
    REQUIRE(std::isnan(out[0]));  // -infinity * 0, as in PyTorch
    for (std::size_t i : {1u, 2u, 3u}) REQUIRE(std::abs(out[i]) < 1e-35f);
    REQUIRE(out[4] == 0.0f);
    for (std::size_t i : {5u, 6u, 7u}) REQUIRE(out[i] == gate[i]);
    REQUIRE(std::isnan(out[8]));
  }
}

TEST_CASE("gelu in both forms equals the math library in double, with a factor and without") {
  using kernels::Activation;
  for (Isa isa : isas()) {
    for (std::size_t n : support::kSizes) {
      const std::vector<float> x = random_numbers(n, n, 8), up = random_numbers(n, n + 1, 3);
      for (const Activation activation : {Activation::gelu_erf, Activation::gelu_tanh}) {
        std::vector<float> plain(n), times_up(n);
        kernels::table(isa).smooth(activation, x.data(), nullptr, plain.data(), n);
        kernels::table(isa).smooth(activation, x.data(), up.data(), times_up.data(), n);
        for (std::size_t i = 0; i < n; ++i) {
          const double v = static_cast<double>(x[i]);
          const double u = std::sqrt(2 / std::acos(-1.0)) * (v + 0.044715 * v * v * v);
          const double exact = activation == Activation::gelu_erf
                                   ? v / 2 * (1 + std::erf(v / std::sqrt(2.0)))
                                   : v / 2 * (1 + std::tanh(u));
          CAPTURE(name(isa), n, x[i], name(activation));
          REQUIRE(std::abs(static_cast<double>(plain[i]) - exact) <=
                  4e-7 * std::max(1.0, std::abs(v)));
          REQUIRE(times_up[i] == plain[i] * up[i]);
        }
      }
    }
  }
}

TEST_CASE("a soft cap is the cap times tanh, whatever the size") {
  for (Isa isa : isas()) {
    for (std::size_t n : support::kSizes) {
      std::vector<float> x = random_numbers(n, n, 200);
      const std::vector<float> before = x;
      kernels::table(isa).softcap(x.data(), 30, n);
      for (std::size_t i = 0; i < n; ++i) {
        CAPTURE(name(isa), before[i]);
        REQUIRE(std::abs(static_cast<double>(x[i]) -
                         30 * std::tanh(static_cast<double>(before[i]) / 30)) < 1e-5);
      }
    }
  }
}

TEST_CASE("the door to activations uses the chosen kernels") {
  std::vector<float> gate{1};
  const std::vector<float> up{2};
  kernels::activate(kernels::Activation::silu, 0, gate, up);
  CHECK(gate[0] == Approx(2 / (1 + std::exp(-1.0))));
  gate = {1};
  kernels::activate(kernels::Activation::gelu_erf, 0, gate);
  CHECK(gate[0] == Approx(0.5 * (1 + std::erf(std::sqrt(0.5)))));
  gate = {40};
  kernels::softcap(gate, 30);
  CHECK(gate[0] == Approx(30 * std::tanh(40.0 / 30)));
}

TEST_CASE("ReLU and its squares and thresholds keep what they should, and NaN") {
  using kernels::Activation;
  constexpr float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> x{-inf, -2, -0.5f, 0, 0.25f, 0.5f, 3, inf};
  const auto rectified = [&](Activation activation, float threshold) {
    std::vector<float> out = x;
    kernels::activate(activation, threshold, out);
    return out;
  };
  CHECK(rectified(Activation::relu, 9) == std::vector<float>{0, 0, 0, 0, 0.25f, 0.5f, 3, inf});
  CHECK(rectified(Activation::relu2, 9) == std::vector<float>{0, 0, 0, 0, 0.0625f, 0.25f, 9, inf});
  CHECK(rectified(Activation::fatrelu, 0.5f) == std::vector<float>{0, 0, 0, 0, 0, 0.5f, 3, inf});
  for (const Activation activation : {Activation::relu, Activation::relu2, Activation::fatrelu}) {
    std::vector<float> nan{std::nanf("")};
    kernels::activate(activation, 0.5f, nan);
    CHECK(std::isnan(nan[0]));
  }
}

TEST_CASE("a gate is activated and multiplied at every size") {
  using kernels::Activation;
  for (const std::size_t n : support::kSizes) {
    const std::vector<float> gate = random_numbers(n, n, 2), up = random_numbers(n, n + 1, 3);
    std::vector<float> silu = gate, expected(n);
    kernels::active().smooth(Activation::silu, gate.data(), up.data(), expected.data(), n);
    kernels::activate(Activation::silu, 9, silu, up);
    CHECK(support::same_bits(silu, expected));
    std::vector<float> relu = gate, relu2 = gate, fatrelu = gate;
    kernels::activate(Activation::relu, 9, relu, up);
    kernels::activate(Activation::relu2, 9, relu2, up);
    kernels::activate(Activation::fatrelu, 0.5f, fatrelu, up);
    for (std::size_t i = 0; i < n; ++i) {
      REQUIRE(relu[i] == (gate[i] < 0 ? 0 : gate[i]) * up[i]);
      REQUIRE(relu2[i] == (gate[i] < 0 ? 0 : gate[i] * gate[i]) * up[i]);
      REQUIRE(fatrelu[i] == (gate[i] < 0.5f ? 0 : gate[i]) * up[i]);
    }
  }
}
