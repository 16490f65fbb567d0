// SPDX-License-Identifier: Apache-2.0
#include "flashlm/training/fit.hpp"

#include <cmath>
#include <stdexcept>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/training/threshold.hpp"
#include "support/catch.hpp"
#include "support/planted_activations.hpp"

using namespace flashlm;
using namespace flashlm::training;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("a planted rule of low rank is found, on tokens that were not seen") {
  const support::PlantedActivations planted(3000);
  Parallel parallel(2);
  const LowRank found = fit(planted.part(0, 2400), {.rank = 8, .epochs = 20}, parallel);
  const float threshold = find_threshold(found, planted.part(2400, 2700), 0.99, parallel);
  const Quality quality = measure(found, threshold, planted.part(2700, 3000), parallel);
  CHECK(quality.active > 0.03);
  CHECK(quality.mass_recall > 0.98);
  CHECK(quality.recall > 0.8);  // those that are missed are small
  CHECK(quality.predicted < 1.25 * quality.active);
}

TEST_CASE("the same seed gives the same bits, whatever the number of threads") {
  const support::PlantedActivations planted(400);
  const auto run = [&](std::uint64_t seed, int n_threads) {
    Parallel parallel(n_threads);
    return fit(planted.all(), {.rank = 20, .epochs = 2, .seed = seed}, parallel);
  };
  const LowRank one = run(7, 1), again = run(7, 3), other = run(8, 1);
  CHECK(one.reduce == again.reduce);
  CHECK(one.expand == again.expand);
  CHECK(one.bias == again.bias);
  CHECK(one.expand != other.expand);
}

TEST_CASE("whoever watches sees every step, and may end the fit") {
  const support::PlantedActivations planted(200);
  Parallel parallel(1);
  std::vector<std::pair<std::size_t, std::size_t>> steps;
  fit(planted.all(), {.rank = 4, .epochs = 2}, parallel,
      [&](std::size_t done, std::size_t total) { steps.emplace_back(done, total); });
  CHECK(steps == std::vector<std::pair<std::size_t, std::size_t>>{{1, 4}, {2, 4}, {3, 4}, {4, 4}});
  CHECK_THROWS_AS(fit(planted.all(), {.rank = 4}, parallel,
                      [](std::size_t, std::size_t) { throw std::runtime_error("enough"); }),
                  std::runtime_error);
}

TEST_CASE("what cannot be fitted is refused") {
  support::PlantedActivations planted(100);
  Parallel parallel(1);
  CHECK_THROWS_WITH(fit(planted.part(0, 15), {}, parallel),
                    ContainsSubstring("expected 16 or more, got 15"));
  CHECK_THROWS_AS(fit(planted.all(), {.rank = 33}, parallel), ArgumentError);
  CHECK_THROWS_AS(fit(planted.all(), {.epochs = 0}, parallel), ArgumentError);
  const float nan = NAN;
  kernels::from_f32(std::span(&nan, 1), DType::f16, &planted.x[60 * planted.dim * 2]);
  CHECK_THROWS_WITH(fit(planted.all(), {}, parallel), ContainsSubstring("nan (token 60)"));
}
