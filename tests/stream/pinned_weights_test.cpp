// SPDX-License-Identifier: Apache-2.0
#include "flashlm/stream/pinned_weights.hpp"

#include <cstring>
#include <vector>

#include "flashlm/base/stats.hpp"
#include "support/catch.hpp"
#include "support/open_weights.hpp"

using namespace flashlm;
using namespace flashlm::stream;

namespace {

void check_bytes(support::OpenWeights& open, const PinnedWeights& pinned) {
  for (const PassLayout::Part& part : open.layout->parts()) {
    if (!pinned.has(part.piece)) continue;
    for (std::size_t at = 0; at < part.n_units; ++at) {
      const std::vector<std::byte> expected = open.unit(part.segment, part.first + at);
      REQUIRE(std::memcmp(pinned.data(part) + at * expected.size(), expected.data(),
                          expected.size()) == 0);
    }
  }
}

}  // namespace

TEST_CASE("pinned pieces hold the bytes of their files, also when others were given back") {
  const std::size_t alignment = GENERATE(1, 512, 4096);
  support::OpenWeights open({}, 3000, [](std::size_t) { return false; }, 2, alignment);
  PinnedWeights pinned(*open.layout, open.choose([](std::size_t piece) { return piece % 3 != 0; }),
                       open.parallel);
  pinned.load(open.reader, open.file_bytes());
  check_bytes(open, pinned);
  pinned.shrink(open.choose([](std::size_t piece) { return piece % 3 == 1; }));
  check_bytes(open, pinned);
  CHECK_FALSE(pinned.has(0));
  CHECK_FALSE(pinned.has(2));
  CHECK(pinned.has(1));
}

TEST_CASE("memory that is given back is free at once") {
  Parallel parallel(2);
  const PassLayout layout({{0, 0, 64, 1u << 20}}, 1, 1u << 20);
  PinnedWeights pinned(layout, std::vector<bool>(64, true), parallel);
  const std::uint64_t before = resident_bytes();
  std::vector<bool> some(64);
  some[10] = some[40] = true;
  pinned.shrink(some);
  if (before != 0) CHECK(before - resident_bytes() > (56u << 20));
}

TEST_CASE("whole units reach around a place, but not beyond its file") {
  const storage::Place place{3, {1000, 50}};
  CHECK(whole_units(place, 1, 5000) == place);
  CHECK(whole_units(place, 512, 5000) == storage::Place{3, {512, 1024}});
  CHECK(whole_units(place, 512, 1100) == storage::Place{3, {512, 588}});
}
