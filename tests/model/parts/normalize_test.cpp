// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/parts/normalize.hpp"

#include <cstddef>
#include <vector>

#include "support/catch.hpp"

using namespace flashlm::model;

TEST_CASE("normalize brings every row to the root mean square of its weight") {
  const std::vector<float> x{1, 1, 1, 1, 4, 0, 0, 0}, weight{1, 2, 3, 4};
  std::vector<float> out(8);
  normalize({NormKind::rms, 1e-12f}, x, {weight, {}}, 4, out);
  const std::vector<float> expected{1, 2, 3, 4, 2, 0, 0, 0};
  for (std::size_t at = 0; at < 8; ++at) CHECK(out[at] == Approx(expected[at]));
}

TEST_CASE("normalize takes the mean away and adds the bias where the norm is a layer norm") {
  const std::vector<float> x{5, 7, -1, -5}, weight{1, 2}, bias{10, 20};
  std::vector<float> out(4);
  normalize({NormKind::layer, 1e-12f}, x, {weight, bias}, 2, out);
  const std::vector<float> expected{9, 22, 11, 18};
  for (std::size_t at = 0; at < 4; ++at) CHECK(out[at] == Approx(expected[at]));
}

TEST_CASE("normalize may write where it reads") {
  std::vector<float> x{3, -1, 2, 5};
  const std::vector<float> weight{1, 2};
  std::vector<float> expected(4);
  normalize({NormKind::rms, 1e-5f}, x, {weight, {}}, 2, expected);
  normalize({NormKind::rms, 1e-5f}, x, {weight, {}}, 2, x);
  CHECK(x == expected);
}
