// SPDX-License-Identifier: Apache-2.0
#include "flashlm/training/low_rank_start.hpp"

#include <cmath>
#include <numeric>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "support/catch.hpp"
#include "support/planted_activations.hpp"

using namespace flashlm;
using namespace flashlm::training;

TEST_CASE("the start knows most of a rule of its rank, and a larger rank little more") {
  const support::PlantedActivations planted;
  const Activations all = planted.all();
  const Balance balance = Balance::of(all);
  BalancedLoss loss(all, balance, 1.0F);
  Parallel parallel(2);
  std::vector<std::size_t> tokens(all.n_tokens());
  std::iota(tokens.begin(), tokens.end(), std::size_t{0});
  const auto value = [&](std::size_t rank) {
    Random random(5);
    return loss.value(low_rank_start(all, balance, 1.0F, rank, random, parallel), tokens, parallel);
  };
  LowRank constant = LowRank::zeros(1, planted.dim, planted.n_neurons);
  constant.bias = balance.bias;
  const double unknown = loss.value(constant, tokens, parallel);
  const double own_rank = value(planted.rank);
  CHECK(own_rank < 0.6 * unknown);
  CHECK(own_rank < value(1));
  CHECK(value(planted.dim) > 0.85 * own_rank);
}

TEST_CASE("the inner numbers of a start vary by about one") {
  const support::PlantedActivations planted;
  const Activations all = planted.all();
  Parallel parallel(1);
  Random random(5);
  const float x_scale = 1.7F;
  const LowRank start = low_rank_start(all, Balance::of(all), x_scale, 4, random, parallel);
  std::vector<float> row(planted.dim);
  double sum = 0;
  for (std::size_t token = 0; token < all.n_tokens(); ++token) {
    all.read_input(token, row);
    for (std::size_t i = 0; i < 4; ++i) {
      float inner = 0;
      for (std::size_t k = 0; k < row.size(); ++k)
        inner += start.reduce[i * row.size() + k] * x_scale * row[k];
      sum += static_cast<double>(inner * inner);
    }
  }
  CHECK(std::sqrt(sum / static_cast<double>(4 * all.n_tokens())) == Approx(1).epsilon(0.1));
}

TEST_CASE("a rank that the layer does not have is refused") {
  const support::PlantedActivations planted(30);
  const Activations all = planted.all();
  const Balance balance = Balance::of(all);
  Parallel parallel(1);
  Random random(5);
  for (const std::size_t rank : {std::size_t{0}, planted.dim + 1}) {
    CHECK_THROWS_WITH(low_rank_start(all, balance, 1.0F, rank, random, parallel),
                      Catch::Matchers::ContainsSubstring(
                          concat("expected 1 to 32, the inputs of the layer, got ", rank)));
  }
  CHECK_NOTHROW(low_rank_start(all, balance, 1.0F, planted.dim, random, parallel));
}

TEST_CASE("inputs that do not vary leave a start of finite numbers") {
  support::PlantedActivations planted(30);
  std::fill(planted.x.begin(), planted.x.end(), std::byte{0});
  const Activations all = planted.all();
  Parallel parallel(1);
  Random random(5);
  const LowRank start = low_rank_start(all, Balance::of(all), 1.0F, 4, random, parallel);
  for (const std::vector<float>* part : {&start.reduce, &start.expand, &start.bias})
    for (const float value : *part) REQUIRE(std::isfinite(value));
}
