// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/io/extent.hpp"

#include <cstdint>
#include <limits>

#include "support/catch.hpp"

using flashlm::storage::Extent;

TEST_CASE("an extent ends behind its last byte") {
  CHECK(Extent{10, 5}.end() == 15);
  CHECK(Extent{10, 0}.empty());
  CHECK_FALSE(Extent{10, 1}.empty());
}

TEST_CASE("whether an extent is inside a file does not overflow") {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  CHECK(Extent{0, 10}.inside(10));
  CHECK(Extent{10, 0}.inside(10));
  CHECK_FALSE(Extent{11, 0}.inside(10));
  CHECK_FALSE(Extent{5, 6}.inside(10));
  CHECK_FALSE(Extent{5, kMost}.inside(10));
  CHECK_FALSE(Extent{kMost, 2}.inside(10));
  CHECK(Extent{0, kMost}.inside(kMost));
}

TEST_CASE("an extent contains what begins and ends in it") {
  const Extent outer{100, 50};
  CHECK(outer.contains({100, 50}));
  CHECK(outer.contains({120, 0}));
  CHECK_FALSE(outer.contains({99, 2}));
  CHECK_FALSE(outer.contains({149, 2}));
  CHECK_FALSE(outer.contains({120, std::numeric_limits<std::uint64_t>::max()}));
}

TEST_CASE("the aligned superset is the smallest one with ends at multiples") {
  CHECK(Extent{0, 512}.aligned(512) == Extent{0, 512});
  CHECK(Extent{1, 1}.aligned(512) == Extent{0, 512});
  CHECK(Extent{511, 2}.aligned(512) == Extent{0, 1024});
  CHECK(Extent{7, 3}.aligned(1) == Extent{7, 3});
  CHECK(Extent{512, 0}.aligned(512) == Extent{512, 0});
}
