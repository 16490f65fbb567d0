// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/ffn_parameters.hpp"

#include "support/catch.hpp"

TEST_CASE("a network without parameters of its own is SiLU's, without biases") {
  const flashlm::units::FfnParameters parameters;
  CHECK(parameters.activation == flashlm::kernels::Activation::silu);
  CHECK(parameters.threshold == 0);
  CHECK(parameters.up_bias.empty());
}
