// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/plan/engine_options.hpp"

#include "support/catch.hpp"

using namespace flashlm;
using namespace flashlm::model;

TEST_CASE("what options leave open is taken from the model, within reason") {
  ModelSpec spec;
  spec.max_context = 100;
  CHECK(checked({}, spec).context == 100);
  CHECK(checked({}, spec).max_batch == 100);
  spec.max_context = 1u << 20;
  CHECK(checked({}, spec).context == 4096);
  EngineOptions options;
  options.context = 8192;
  CHECK(checked(options, spec).context == 8192);
}

TEST_CASE("options that are out of range or unknown are ArgumentErrors") {
  ModelSpec spec;
  spec.max_context = 100;
  const auto wrong = [&](auto change) {
    EngineOptions options;
    change(options);
    CHECK_THROWS_AS(checked(options, spec), ArgumentError);
  };
  wrong([](EngineOptions& options) { options.context = 101; });
  wrong([](EngineOptions& options) { options.max_batch = 0; });
  wrong([](EngineOptions& options) { options.parallel = 0; });
  wrong([](EngineOptions& options) { options.stall_seconds = 0; });
  wrong([](EngineOptions& options) { options.policy = "random"; });
  wrong([](EngineOptions& options) { options.window = 0; });
  wrong([](EngineOptions& options) { options.policy = "lru", options.window = 3; });
}

TEST_CASE("a policy needs a selector that chooses") {
  ModelSpec spec;
  spec.max_context = 100;
  EngineOptions options;
  options.policy = "lru";
  CHECK_THROWS_AS(checked(options, spec, units::SelectorKind::dense), ArgumentError);
  CHECK_NOTHROW(checked(options, spec, units::SelectorKind::gate));
  options = {};
  options.window = 3;
  CHECK_THROWS_AS(checked(options, spec, units::SelectorKind::dense), ArgumentError);
  CHECK_NOTHROW(checked(options, spec, units::SelectorKind::predictor));
  CHECK_NOTHROW(checked({}, spec, units::SelectorKind::dense));
}
