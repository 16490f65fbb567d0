// SPDX-License-Identifier: Apache-2.0
#include "flashlm/sparse/selector.hpp"

#include <vector>

#include "support/catch.hpp"

using namespace flashlm::sparse;

TEST_CASE("the dense selector takes every neuron, and replaces what was selected before") {
  const Selector selector = make_selector("dense");
  NeuronSet active;
  active.push({1, 4});
  const std::vector<float> input(8, 1.0f);
  select(selector, 3, 77, input, active);
  REQUIRE(active.ranges().size() == 1);
  CHECK(active.ranges()[0] == NeuronRange{0, 77});
}

TEST_CASE("auto is dense, and an unknown selector is an ArgumentError that lists the known ones") {
  CHECK(name(make_selector("auto")) == "dense");
  try {
    make_selector("oracle");
    FAIL("expected an ArgumentError");
  } catch (const flashlm::ArgumentError& error) {
    CHECK(std::string(error.what()) == "[selector] name: expected auto or dense, got 'oracle'");
  }
}
