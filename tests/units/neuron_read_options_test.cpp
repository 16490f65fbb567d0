// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/neuron_read_options.hpp"

#include "support/catch.hpp"

using flashlm::units::NeuronReadOptions;

TEST_CASE("a joined read may hold what lies between two neurons") {
  const NeuronReadOptions options;
  CHECK(options.merge_bytes < options.longest_bytes);
  CHECK(options.bundled);
}
