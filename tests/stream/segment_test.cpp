// SPDX-License-Identifier: Apache-2.0
#include "flashlm/stream/segment.hpp"

#include <cstdint>

#include "support/catch.hpp"

using namespace flashlm::stream;

TEST_CASE("a segment and a ring know their bytes") {
  CHECK(Segment{0, 4096, std::size_t{1} << 20, std::size_t{1} << 20}.bytes() == std::uint64_t{1}
                                                                                    << 40);
  CHECK(Segment{}.bytes() == 0);
  CHECK(Ring{}.bytes() == 0);
  CHECK(Ring{3, 4097}.bytes() == 3 * 8192);
}
