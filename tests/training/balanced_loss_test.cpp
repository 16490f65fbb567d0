// SPDX-License-Identifier: Apache-2.0
#include "flashlm/training/balanced_loss.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "support/catch.hpp"
#include "support/planted_activations.hpp"

using namespace flashlm;
using namespace flashlm::training;

namespace {

LowRank random_predictor(const support::PlantedActivations& planted, std::size_t rank) {
  LowRank made = LowRank::zeros(rank, planted.dim, planted.n_neurons);
  Random random(3);
  for (std::vector<float>* part : {&made.reduce, &made.expand, &made.bias})
    for (float& value : *part) value = random.uniform(-0.5F, 0.5F);
  return made;
}

std::vector<std::size_t> first_tokens(std::size_t n) {
  std::vector<std::size_t> tokens(n);
  std::iota(tokens.begin(), tokens.end(), std::size_t{0});
  return tokens;
}

}  // namespace

TEST_CASE("those that fire weigh as much as those that do not, half of it by size") {
  const support::PlantedActivations planted(200);
  const Activations all = planted.all();
  const Balance balance = Balance::of(all);
  double firing = 0, silent = 0, even = 0;
  for (std::size_t token = 0; token < all.n_tokens(); ++token) {
    for (std::size_t neuron = 0; neuron < all.n_neurons; ++neuron) {
      if (!all.fires(token, neuron)) {
        ++silent;
        continue;
      }
      firing += static_cast<double>(balance.weight(all.size(token, neuron)));
      even += static_cast<double>(balance.fires);
    }
  }
  CHECK(firing == Approx(silent).epsilon(1e-4));
  CHECK(even == Approx(silent / 2).epsilon(1e-4));
}

TEST_CASE("no other bias is better for who does not know the input") {
  const support::PlantedActivations planted(400);
  const Activations all = planted.all();
  const Balance balance = Balance::of(all);
  BalancedLoss loss(all, balance, 1.0F);
  Parallel parallel(1);
  LowRank constant = LowRank::zeros(1, planted.dim, planted.n_neurons);
  constant.bias = balance.bias;
  const std::vector<std::size_t> tokens = first_tokens(400);
  const double best = loss.value(constant, tokens, parallel);
  for (const float shift : {-0.2F, 0.2F}) {
    for (std::size_t i = 0; i < constant.bias.size(); ++i)
      constant.bias[i] = balance.bias[i] + shift;
    CHECK(loss.value(constant, tokens, parallel) > best);
  }
}

TEST_CASE("the gradient is that of finite differences") {
  const support::PlantedActivations planted(80);
  const Activations all = planted.all();
  const Balance balance = Balance::of(all);
  BalancedLoss loss(all, balance, 0.7F);
  Parallel parallel(1);
  const std::vector<std::size_t> tokens = first_tokens(50);
  LowRank at = random_predictor(planted, 3);
  LowRank slopes = LowRank::zeros(3, planted.dim, planted.n_neurons);
  loss.gradient(at, tokens, parallel, slopes);
  const auto check = [&](std::vector<float>& values, const std::vector<float>& gradient) {
    const double largest = static_cast<double>(
        std::abs(*std::max_element(gradient.begin(), gradient.end(), [](float one, float other) {
          return std::abs(one) < std::abs(other);
        })));
    for (std::size_t i = 0; i < values.size(); i += 7) {
      const float before = values[i];
      constexpr float kStep = 0x1p-9F;
      values[i] = before + kStep;
      const double above = loss.value(at, tokens, parallel);
      values[i] = before - kStep;
      const double below = loss.value(at, tokens, parallel);
      values[i] = before;
      const double slope = (above - below) / (2 * static_cast<double>(kStep));
      CHECK(std::abs(static_cast<double>(gradient[i]) - slope) < 0.003 * largest);
    }
  };
  check(at.reduce, slopes.reduce);
  check(at.expand, slopes.expand);
  check(at.bias, slopes.bias);
}

TEST_CASE("a gradient has the same bits whatever the number of threads") {
  const support::PlantedActivations planted(150);
  const Activations all = planted.all();
  const Balance balance = Balance::of(all);
  const LowRank at = random_predictor(planted, 20);
  LowRank slopes[2];
  for (const int n_threads : {1, 3}) {
    Parallel parallel(n_threads);
    BalancedLoss loss(all, balance, 1.0F);
    LowRank& mine = slopes[n_threads == 1 ? 0 : 1] = LowRank::zeros(20, 32, planted.n_neurons);
    loss.gradient(at, first_tokens(140), parallel, mine);
  }
  CHECK(slopes[0].reduce == slopes[1].reduce);
  CHECK(slopes[0].expand == slopes[1].expand);
  CHECK(slopes[0].bias == slopes[1].bias);
}

TEST_CASE("neurons that never fire have no balance") {
  support::PlantedActivations planted(20);
  std::fill(planted.codes.begin(), planted.codes.end(), std::uint8_t{0});
  CHECK_THROWS_WITH(Balance::of(planted.all()),
                    Catch::Matchers::ContainsSubstring("expected neurons that fire, got none"));
}
