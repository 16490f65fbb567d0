// SPDX-License-Identifier: Apache-2.0
#include "flashlm/training/low_rank.hpp"

#include "support/catch.hpp"

using namespace flashlm::training;

TEST_CASE("a predictor of zeros has the numbers of its shape") {
  const LowRank zeros = LowRank::zeros(2, 5, 7);
  CHECK(zeros.rank == 2);
  CHECK(zeros.dim == 5);
  CHECK(zeros.n_neurons == 7);
  CHECK(zeros.reduce.size() == 10);
  CHECK(zeros.expand.size() == 14);
  CHECK(zeros.bias == std::vector<float>(7));
}
