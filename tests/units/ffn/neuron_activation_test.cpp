// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/ffn/neuron_activation.hpp"

#include <vector>

#include "support/catch.hpp"

using namespace flashlm;
using namespace flashlm::units;

TEST_CASE("a gate decides and the up row, with its bias, is multiplied") {
  const FfnParameters ffn{.activation = kernels::Activation::relu};
  std::vector<float> h{2, -1, 3}, up{1, 5, -2};
  activate_neurons(ffn, std::vector<float>{0.5f, 1, 1}, h, up);
  CHECK(h == std::vector<float>{3, 0, -3});
}

TEST_CASE("without a gate the up row itself is activated, with its bias where it has one") {
  const FfnParameters ffn{.activation = kernels::Activation::fatrelu, .threshold = 2};
  std::vector<float> h{2.5f, 1, -3};
  activate_neurons(ffn, {}, h, {});
  CHECK(h == std::vector<float>{2.5f, 0, 0});
  h = {2.5f, 1, -3};
  activate_neurons(ffn, std::vector<float>{-1, 1.5f, 0}, h, {});
  CHECK(h == std::vector<float>{0, 2.5f, 0});
}

TEST_CASE("no neurons are no work") {
  activate_neurons({.activation = kernels::Activation::relu}, {}, {}, {});
}
