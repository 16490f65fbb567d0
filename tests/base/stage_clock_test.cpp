// SPDX-License-Identifier: Apache-2.0
#include "flashlm/base/stage_clock.hpp"

#include <stdexcept>

#include "support/catch.hpp"

using namespace flashlm;

namespace {

/// Returns once the clock that stages are measured by has gone on.
void pass_time() {
  const double start = now_seconds();
  while (now_seconds() == start) {
  }
}

}  // namespace

TEST_CASE("a stage's seconds are added when its scope ends, also by an exception") {
  double seconds = 10;
  {
    const StageClock clock(seconds);
    pass_time();
    CHECK(seconds == 10);
  }
  const double once = seconds;
  CHECK(once > 10);
  CHECK_THROWS_AS(
      [&] {
        const StageClock clock(seconds);
        pass_time();
        throw std::runtime_error("stopped");
      }(),
      std::runtime_error);
  CHECK(seconds > once);
}
