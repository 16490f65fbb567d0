// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/neuron_set.hpp"

#include "support/allocation_counter.hpp"
#include "support/catch.hpp"

using flashlm::units::NeuronRange;
using flashlm::units::NeuronSet;

TEST_CASE("neighbouring neurons become one range") {
  NeuronSet set;
  set.push({2, 3});
  set.push({3, 5});
  set.push({7, 8});
  REQUIRE(set.size() == 4);
  REQUIRE(set.ranges().size() == 2);
  CHECK(set.ranges()[0] == NeuronRange{2, 5});
  CHECK(set.ranges()[1] == NeuronRange{7, 8});
}

TEST_CASE("an empty range adds nothing") {
  NeuronSet set;
  set.push({4, 4});
  set.push({5, 3});
  CHECK(set.size() == 0);
  CHECK(set.ranges().empty());
}

TEST_CASE("a reserved set is filled and cleared without allocating") {
  NeuronSet set;
  set.reserve(100);
  const std::size_t before = support::allocation_count();
  for (int round = 0; round < 3; ++round) {
    set.clear();
    for (flashlm::units::NeuronId id = 0; id < 200; id += 2) set.push({id, id + 1});
  }
  CHECK(support::allocation_count() == before);
  CHECK(set.size() == 100);
}
