// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/batch.hpp"

#include <vector>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"
#include "support/kv_shape.hpp"

using namespace flashlm;
using namespace flashlm::model;

TEST_CASE(
    "a batch has tokens of the vocabulary, positions of the context, and whole rows of logits") {
  ModelSpec spec = support::kv_shape(1, 1, 2);
  spec.vocab_size = 10;
  const KvCache kv(spec, 8, DType::f32);
  const auto check = [&](std::size_t first, std::vector<Token> tokens, std::size_t n_logits) {
    const std::vector<float> logits(n_logits);
    check_batch(spec, 4, kv, first, tokens, logits);
  };
  CHECK_NOTHROW(check(4, {0, 9, 3, 3}, 40));
  CHECK_NOTHROW(check(0, {1}, 0));
  CHECK_THROWS_AS(check(0, {}, 0), ShapeError);
  CHECK_THROWS_AS(check(0, {1, 1, 1, 1, 1}, 0), ShapeError);
  CHECK_THROWS_AS(check(5, {1, 1, 1, 1}, 0), ShapeError);
  CHECK_THROWS_AS(check(0, {1}, 9), ShapeError);
  CHECK_THROWS_AS(check(0, {1}, 20), ShapeError);
  CHECK_THROWS_AS(check(0, {10}, 10), ArgumentError);
  CHECK_THROWS_AS(check(0, {-1}, 10), ArgumentError);
}
