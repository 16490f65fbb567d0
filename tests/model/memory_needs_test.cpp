// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/memory_needs.hpp"

#include <optional>
#include <string>

#include "flashlm/model/engine.hpp"
#include "support/catch.hpp"
#include "support/predictor_file.hpp"
#include "support/tiny_model.hpp"

using namespace flashlm;
using namespace flashlm::model;

TEST_CASE("what is planned is what an engine takes, with every selector and policy") {
  support::TinyShape shape = support::TinyShape::opt();
  shape.dim = 64;
  shape.head_dim = 16;
  shape.neurons_per_bundle = 1;
  const support::TinyModel tiny(shape);
  support::write_predictor(tiny.path(), {});
  for (const std::string selector : {"dense", "predictor", "gate"}) {
    const auto model = Model::open(tiny.path(), selector);
    for (const std::string policy : {"auto", "lru", "paper"}) {
      if (selector == "dense" && policy != "auto") continue;
      CAPTURE(selector, policy);
      EngineOptions options;
      options.policy = policy;
      options.n_threads = 2;
      options.memory = {0, 0.8};
      const MemoryPlan planned = plan_memory(*model, options);
      const Engine engine(model, options);
      CHECK(planned.table() == engine.memory_plan().table());
      CHECK(planned.smallest == engine.memory_plan().smallest);
      options.memory = {planned.smallest, std::nullopt};
      CHECK(Engine(model, options).memory_plan().total <= planned.smallest);
      --options.memory.bytes;
      CHECK_THROWS_AS(plan_memory(*model, options), BudgetError);
    }
  }
}

TEST_CASE("what an engine would refuse is refused when it is planned") {
  const support::TinyModel tiny;
  const auto model = Model::open(tiny.path());
  EngineOptions options;
  options.context = 1u << 20;
  CHECK_THROWS_AS(plan_memory(*model, options), ArgumentError);
  options = {};
  options.n_threads = -1;
  CHECK_THROWS_AS(plan_memory(*model, options), ArgumentError);
}
