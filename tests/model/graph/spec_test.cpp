// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/graph/spec.hpp"

#include "support/catch.hpp"
#include "support/tiny_model.hpp"

using namespace flashlm::model;

TEST_CASE("layers find their kind, and a layer its parts") {
  const ModelSpec spec = support::tiny_spec();
  CHECK(spec.n_layers() == 3);
  CHECK(&spec.layer(2) == &spec.decoder().kinds[0]);
  CHECK(spec.layer(0).find(PartKind::ffn) == &spec.layer(0).parts[1]);
  CHECK(spec.layer(0).find(PartKind::experts) == nullptr);
  CHECK(spec.attention().heads == 4);
  CHECK(spec.ffn().hidden == 150);
}

TEST_CASE("ropes are equal where all their numbers are") {
  const RopeSpec rope = *support::tiny_spec().attention().rope;
  RopeSpec other = rope;
  CHECK(rope == other);
  other.frequencies.back() *= 2;
  CHECK_FALSE(rope == other);
}
