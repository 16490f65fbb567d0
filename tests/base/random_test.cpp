// SPDX-License-Identifier: Apache-2.0
/// random_test.cpp: the sequence is fixed, and looks random.
#include "flashlm/base/random.hpp"

#include <cmath>

#include "support/catch.hpp"

using namespace flashlm;

TEST_CASE("the sequence of a seed never changes") {
  // From an independent implementation of the published algorithm, in Python.
  Random from_0(0);
  CHECK(from_0.next() == 0x99ec5f36cb75f2b4u);
  CHECK(from_0.next() == 0xbf6e1f784956452au);
  CHECK(from_0.next() == 0x1a5f849d4933e6e0u);
  CHECK(from_0.next() == 0x6aa594f1262d2d2cu);
  Random from_42(42);
  CHECK(from_42.next() == 0x15780b2e0c2ec716u);
  CHECK(from_42.next() == 0x6104d9866d113a7eu);
  CHECK(from_42.next() == 0xae17533239e499a1u);
  CHECK(from_42.next() == 0xecb8ad4703b360a1u);
  Random uniform(42);
  CHECK(uniform.uniform() == 0x1.5780b2e0c2ec0p-4);
  CHECK(uniform.uniform() == 0x1.84136619b444ep-2);
}

TEST_CASE("uniform numbers lie in their range and fill it evenly") {
  Random random(3);
  int counts[10] = {};
  for (int index = 0; index < 100000; ++index) {
    const double value = random.uniform();
    REQUIRE(value >= 0);
    REQUIRE(value < 1);
    ++counts[static_cast<int>(value * 10)];
    const float between = random.uniform(-2.0f, 3.0f);
    REQUIRE(between >= -2.0f);
    REQUIRE(between <= 3.0f);
  }
  for (int count : counts) CHECK(std::abs(count - 10000) < 500);
}

TEST_CASE("different seeds give different sequences") {
  CHECK(Random(1).next() != Random(2).next());
}
