// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/readers/busy_time.hpp"

#include "support/catch.hpp"

using flashlm::storage::BusyTime;

TEST_CASE("time counts while something is in flight, and once however much it is") {
  BusyTime time;
  CHECK(time.seconds(100) == 0);
  time.set(1, 100);
  time.set(3, 101);
  CHECK(time.seconds(104) == 4);  // in flight still
  time.set(0, 105);
  CHECK(time.seconds(200) == 5);
  time.set(0, 300);
  time.set(2, 400);
  time.set(0, 401);
  CHECK(time.seconds(500) == 6);
}

TEST_CASE("the clock gives the time where nobody else does") {
  BusyTime time;
  time.set(1);
  CHECK(time.seconds() >= 0);
  time.set(0);
  const double seconds = time.seconds();
  CHECK(time.seconds() == seconds);
}
