// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/neuron_id.hpp"

#include <limits>

#include "support/catch.hpp"

TEST_CASE("the widest layers, of some hundred thousand neurons, can be numbered") {
  CHECK(std::numeric_limits<flashlm::units::NeuronId>::max() > 1000000);
}
