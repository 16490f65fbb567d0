// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/parts/rope_table.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/kv_shape.hpp"

using namespace flashlm::model;

namespace {

RopeSpec rope_of(std::size_t dims, double theta) {
  RopeSpec rope;
  rope.dims = dims;
  for (std::size_t at = 0; at < dims / 2; ++at) {
    const double exponent = static_cast<double>(2 * at) / static_cast<double>(dims);
    rope.frequencies.push_back(static_cast<float>(1 / std::pow(theta, exponent)));
  }
  return rope;
}

}  // namespace

TEST_CASE("position 0 turns nothing, and every pair lies on the circle of the attention factor") {
  RopeSpec rope = rope_of(8, 10000);
  rope.attention_factor = GENERATE(1.0f, 1.25f);
  const RopeTable table(rope, 50);
  for (std::size_t position = 0; position < 50; ++position) {
    for (std::size_t at = 0; at < 4; ++at) {
      const double c = table.cosines(position)[at], s = table.sines(position)[at];
      CHECK(std::sqrt(c * c + s * s) == Approx(rope.attention_factor).margin(1e-6));
      if (position == 0) CHECK((c == rope.attention_factor && s == 0));
    }
  }
}

TEST_CASE("pair i of a head turns by position * frequency i") {
  const RopeTable table(rope_of(64, 100000), 300);
  for (std::size_t at = 0; at < 32; ++at) {
    const double angle = 299 * std::pow(100000.0, -2.0 * static_cast<double>(at) / 64);
    CHECK(table.cosines(299)[at] == Approx(std::cos(angle)).margin(3e-5));
    CHECK(table.sines(299)[at] == Approx(std::sin(angle)).margin(3e-5));
  }
}

TEST_CASE("layers with equal ropes share a table, layers without have none") {
  ModelSpec spec = support::kv_shape(4, 2, 8);
  std::vector<LayerSpec>& kinds = spec.stacks[0].kinds;
  kinds.resize(4, kinds[0]);
  spec.stacks[0].layers = {0, 1, 2, 3};
  kinds[0].parts[0].attention.rope = kinds[2].parts[0].attention.rope = rope_of(8, 10000);
  kinds[1].parts[0].attention.rope = rope_of(4, 1000000);
  const RopeTables tables(spec, 10);
  const RopeTable* first = tables.of(0);
  const RopeTable* second = tables.of(1);
  REQUIRE((first != nullptr && second != nullptr));
  CHECK(first != second);
  CHECK(first == tables.of(2));
  CHECK(tables.of(3) == nullptr);
  CHECK(RopeTables::bytes(spec, 10) == (8 + 4) * 10 * sizeof(float));
}
