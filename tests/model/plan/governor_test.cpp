// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/plan/governor.hpp"

#include "support/catch.hpp"

using namespace flashlm;
using model::Governor;

namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

struct Fixture {
  MemoryState state;
  Governor governor{[this] { return state; }};
  double now = 100;

  std::uint64_t look(double seconds = 0.2) {
    now += seconds;
    return governor.look(now, 1600 * kMiB);
  }
};

}  // namespace

TEST_CASE("nothing is given back where there is room, whatever faults and pressure say") {
  Fixture fixture;
  fixture.state.room = 1024 * kMiB;
  for (int at = 0; at < 5; ++at) {
    fixture.state.major_faults += 1000;
    fixture.state.stalled_seconds += 1;
    CHECK(fixture.look() == 0);
  }
  CHECK(fixture.governor.stats().major_faults == 0);
  CHECK(fixture.governor.stats().looks == 5);
}

TEST_CASE("near the limit as much goes back as makes room again, and in between nothing happens") {
  Fixture fixture;
  fixture.state.room = 30 * kMiB;
  CHECK(fixture.look() == 0);
  fixture.state.room = 10 * kMiB;
  CHECK(fixture.look() == 38 * kMiB);
  fixture.governor.gave_back(39 * kMiB, 7);
  fixture.state.room = 48 * kMiB;
  CHECK(fixture.look() == 0);
  CHECK(fixture.governor.stats().shrinks == 1);
  CHECK(fixture.governor.stats().shrunk_bytes == 39 * kMiB);
  CHECK(fixture.governor.stats().shrunk_rows == 7);
  CHECK(fixture.governor.stats().room == 48 * kMiB);
}

TEST_CASE("where memory is short, faults and pressure give a sixteenth back, once in a while") {
  Fixture fixture;
  fixture.state = {100 * kMiB, 50'000, 1000.0};
  CHECK(fixture.look() == 0);  // what was before does not count
  fixture.state.major_faults += 63;
  CHECK(fixture.look() == 0);
  fixture.state.major_faults += 64;
  CHECK(fixture.look() == 100 * kMiB);
  fixture.state.stalled_seconds += 0.03;
  CHECK(fixture.look() == 0);  // patience
  fixture.state.stalled_seconds += 0.19;
  CHECK(fixture.look(2) == 0);  // less than a tenth of the time
  fixture.state.stalled_seconds += 0.21;
  CHECK(fixture.look(2) == 100 * kMiB);
  CHECK(fixture.governor.stats().major_faults == 127);
  CHECK(fixture.governor.stats().pressure_events == 2);
}

TEST_CASE("looks are rare: a step is faster than the system's answer") {
  Fixture fixture;
  fixture.state.room = 0;
  CHECK(fixture.look() > 0);
  CHECK(fixture.look(0.001) == 0);
  CHECK(fixture.governor.stats().looks == 1);
}
