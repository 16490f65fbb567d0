// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/rope_table.hpp"

#include <cmath>

#include "support/catch.hpp"

using flashlm::model::RopeConfig;
using flashlm::model::RopeTable;

TEST_CASE("position 0 turns nothing, and every pair lies on the unit circle") {
  const RopeTable table({}, 8, 50);
  for (std::size_t position = 0; position < 50; ++position) {
    for (std::size_t at = 0; at < 4; ++at) {
      const double c = table.cosines(position)[at], s = table.sines(position)[at];
      CHECK(c * c + s * s == Approx(1).margin(1e-6));
      if (position == 0) CHECK((c == 1 && s == 0));
    }
  }
}

TEST_CASE("pair i of a head turns by position * theta^(-2i / head_dim)") {
  RopeConfig rope;
  rope.theta = 100000;
  const RopeTable table(rope, 64, 300);
  for (std::size_t at = 0; at < 32; ++at) {
    const double angle = 299 * std::pow(100000.0, -2.0 * static_cast<double>(at) / 64);
    CHECK(table.cosines(299)[at] == Approx(std::cos(angle)).margin(3e-5));
    CHECK(table.sines(299)[at] == Approx(std::sin(angle)).margin(3e-5));
  }
}

TEST_CASE("linear scaling slows every pair down alike") {
  RopeConfig rope;
  rope.type = "linear";
  rope.factor = 4;
  const auto slow = RopeTable::frequencies(rope, 16);
  const auto plain = RopeTable::frequencies({}, 16);
  for (std::size_t at = 0; at < slow.size(); ++at) CHECK(slow[at] * 4 == Approx(plain[at]));
}

TEST_CASE("Llama 3 scaling keeps short waves, slows long ones, and blends between") {
  RopeConfig rope;
  rope.type = "llama3";
  rope.theta = 500000;
  rope.factor = 8;
  rope.low_freq_factor = 1;
  rope.high_freq_factor = 4;
  rope.original_context = 8192;
  RopeConfig base;
  base.theta = rope.theta;
  const auto scaled = RopeTable::frequencies(rope, 128);
  const auto plain = RopeTable::frequencies(base, 128);
  CHECK(scaled.front() == plain.front());
  CHECK(scaled.back() * 8 == Approx(plain.back()));
  for (std::size_t at = 0; at < plain.size(); ++at) {
    CHECK(scaled[at] <= plain[at]);
    CHECK(scaled[at] >= plain[at] / 8.001f);
  }
}
