// SPDX-License-Identifier: Apache-2.0
/// engine_reference_test.cpp: the same engine with another backend.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "flashlm/model/engine.hpp"
#include "support/catch.hpp"
#include "support/engine_runs.hpp"
#include "support/predictor_file.hpp"
#include "support/reference_engine.hpp"
#include "support/tiny_model.hpp"
#include "support/tokens.hpp"

using namespace flashlm;
using namespace flashlm::model;

namespace {

/// The largest difference between the processor's logits and the reference's, in parts of the
/// largest logit: of the first five tokens, and of all.
struct Difference {
  double first = 0;
  double all = 0;
};

Difference difference(const support::TinyModel& tiny, const support::ReferenceRun& how) {
  const std::vector<Token> tokens = support::random_tokens(24);
  EngineOptions options;
  options.memory = {0, how.share};
  options.n_threads = 2;
  options.max_batch = how.batch;
  options.policy = how.policy;
  Engine engine(Model::open(tiny.path(), how.selector), options);
  const std::vector<float> got = support::run(engine, tokens, how.batch);
  const std::vector<float> expected = support::reference_engine(tiny.path(), tokens, how);
  REQUIRE(got.size() == expected.size());
  double largest = 0;
  for (const float value : expected) largest = std::max(largest, std::abs(double{value}));
  Difference result;
  for (std::size_t at = 0; at < got.size(); ++at) {
    result.all = std::max(result.all, std::abs(double{got[at]} - expected[at]) / largest);
    if (at < 5 * engine.spec().vocab_size) result.first = result.all;
  }
  return result;
}

/// A key or an activation between two steps of its format may be rounded to either by the two
/// backends, and later tokens see that. The first tokens of these models meet none.
void check(const support::TinyModel& tiny, const support::ReferenceRun& how) {
  const DType dtype = tiny.shape.dtype;
  CAPTURE(tiny.shape.family, tiny.shape.activation, name(dtype), how.selector, how.policy);
  const Difference found = difference(tiny, how);
  CHECK(found.all > 0);  // two backends indeed
  CHECK(found.first < 2e-5);
  CHECK(found.all < (dtype == DType::f32 ? 2e-5 : is_block(dtype) ? 0.2 : 2e-3));
}

}  // namespace

TEST_CASE("every graph gives the logits of the reference, from flash and from DRAM") {
  support::TinyShape shape = GENERATE(from_range(support::tiny_graphs()));
  shape.tied = GENERATE(true, false);
  const support::TinyModel tiny(shape);
  check(tiny, {.share = 0.6});
}

TEST_CASE("every selector and every store of neurons runs on both backends") {
  for (const char* activation : {"relu", "relu2"}) {
    support::TinyShape shape;
    shape.dim = 64;
    shape.head_dim = 16;
    shape.activation = activation;
    shape.neurons_per_bundle = 1;
    const support::TinyModel tiny(shape);
    support::write_predictor(tiny.path(), {.threshold = 0.5f});
    for (const std::string policy : {"combined", "paper"}) {
      check(tiny, {.selector = "gate", .policy = policy, .share = 0.7});
      check(tiny, {.selector = "predictor", .policy = policy, .share = 0.7, .batch = 1});
    }
  }
}
