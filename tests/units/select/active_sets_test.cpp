// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/select/active_sets.hpp"

#include <vector>

#include "support/catch.hpp"

using namespace flashlm::units;

TEST_CASE("a set gives its neurons back in ascending order, and each token has its own") {
  ActiveSets sets(2, 130);
  for (const NeuronId id : {3u, 63u, 64u, 129u})
    sets.word(1, id / 64) |= ActiveSets::Word{1} << (id % 64);
  std::vector<NeuronId> ids(130);
  CHECK(sets.list(0, 130, ids) == 0);
  REQUIRE(sets.list(1, 130, ids) == 4);
  ids.resize(4);
  CHECK(ids == std::vector<NeuronId>{3, 63, 64, 129});
  CHECK(sets.count(0, 130) == 0);
  CHECK(sets.count(1, 130) == 4);
  CHECK(sets.count(1, 64) == 2);
  CHECK(sets.has(1, 129));
  CHECK_FALSE(sets.has(1, 128));
  CHECK_FALSE(sets.has(0, 3));
  CHECK(ActiveSets::bytes(2, 130) == 2 * 3 * 8);
}
