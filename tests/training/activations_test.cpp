// SPDX-License-Identifier: Apache-2.0
#include "flashlm/training/activations.hpp"

#include <cstdint>
#include <limits>
#include <vector>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"
#include "support/planted_activations.hpp"

using namespace flashlm;
using namespace flashlm::training;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("a code is the root of a share of the token's largest activation") {
  const std::vector<std::byte> x(4);
  const std::vector<std::uint8_t> codes = {0, 51, 255};
  const std::vector<float> scales = {5.0F};
  const Activations one{.dim = 2, .n_neurons = 3, .x = x, .codes = codes, .scales = scales};
  one.check();
  CHECK(one.n_tokens() == 1);
  CHECK_FALSE(one.fires(0, 0));
  CHECK(one.fires(0, 1));
  CHECK(one.size(0, 0) == 0.0F);
  CHECK(one.size(0, 1) == Approx(0.2F));
  CHECK(one.size(0, 2) == 5.0F);
}

TEST_CASE("activations whose parts disagree, or that are not finite, are refused") {
  support::PlantedActivations planted(20);
  Activations few = planted.all();
  few.codes = few.codes.subspan(1);
  CHECK_THROWS_AS(few.check(), ShapeError);
  few = planted.all();
  few.x = few.x.subspan(2);
  CHECK_THROWS_AS(few.check(), ShapeError);
  CHECK_THROWS_WITH(planted.part(3, 3).check(),
                    ContainsSubstring("expected tokens, inputs and neurons, got 0, 32 and 150"));
  planted.scales[7] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(planted.all().check(), ContainsSubstring("got nan (token 7)"));
  planted.scales[7] = -1;
  CHECK_THROWS_AS(planted.all().check(), FormatError);
}

TEST_CASE("an input is read as it was, and refused if it is not finite") {
  support::PlantedActivations planted(20);
  std::vector<float> row(planted.dim);
  const float values[] = {0.5F, std::numeric_limits<float>::infinity()};
  kernels::from_f32(std::span(values, 1), DType::f16, &planted.x[3 * planted.dim * 2]);
  planted.all().read_input(3, row);
  CHECK(row[0] == 0.5F);
  kernels::from_f32(std::span(values + 1, 1), DType::f16, &planted.x[3 * planted.dim * 2]);
  CHECK_THROWS_WITH(planted.all().read_input(3, row),
                    ContainsSubstring("expected finite inputs, got inf (token 3)"));
}
