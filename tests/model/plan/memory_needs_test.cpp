// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/plan/memory_needs.hpp"

#include <cstdint>
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

namespace {

/// Options whose system has `room` bytes left in a control group of `capacity`.
EngineOptions in_group(std::uint64_t capacity, std::uint64_t room) {
  EngineOptions options;
  options.n_threads = 1;
  options.sensor = [=] {
    return MemoryState{.room = room, .limit = {MemoryBound::group, capacity, room}};
  };
  return options;
}

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

}  // namespace

TEST_CASE("an automatic budget is what the system can spare, for the plan and for the engine") {
  const support::TinyModel tiny;
  const auto model = Model::open(tiny.path());
  const MemoryPlan everything = plan_memory(*model, in_group(16384 * kMiB, 8192 * kMiB));
  CHECK(everything.streamed() == 0);
  CHECK(everything.total < everything.budget + 1);
  CHECK(everything.limit.room == 8192 * kMiB);
  const EngineOptions small = in_group(256 * kMiB, 64 * kMiB + everything.smallest + 40'000);
  const MemoryPlan some = plan_memory(*model, small);
  CHECK(some.budget == everything.smallest + 40'000);
  CHECK(some.streamed() > 0);
  CHECK(Engine(model, small).memory_plan().table() == some.table());
  CHECK_THROWS_WITH(plan_memory(*model, in_group(300 * kMiB, 70 * kMiB)),
                    Catch::Matchers::Contains(
                        "got 0 bytes, which auto found: 70.0 MiB of the control group's 300 MiB "
                        "are free, of which 75.0 MiB stay free"));
}

TEST_CASE(
    "a context that nobody asked for follows the memory, and one that was asked for does not") {
  support::TinyShape shape;
  shape.context = 20'000;
  const support::TinyModel tiny(shape);
  const auto model = Model::open(tiny.path());
  const auto spared = [](std::uint64_t bytes) { return in_group(256 * kMiB, 64 * kMiB + bytes); };
  EngineOptions options = spared(64 * kMiB);
  CHECK(plan_memory(*model, options).context == 4096);
  CHECK(largest_context(*model, options) == 20'000);
  options.context = 300;
  CHECK(plan_memory(*model, options).context == 300);
  options.context = 256;
  options.max_batch = 16;
  const std::uint64_t least = plan_memory(*model, options).smallest;
  options.context = 4096;
  const std::uint64_t whole = plan_memory(*model, options).smallest;
  for (const std::size_t parallel : {1, 3}) {
    CAPTURE(parallel);
    options = spared(least + (whole - least));  // half of it is for keys and values
    options.max_batch = 16;
    options.parallel = parallel;
    const MemoryPlan half = plan_memory(*model, options);
    CHECK(half.context < (4096 + 256) / 2 / parallel + 256);
    CHECK(half.context > 256);
    CHECK(half.context % 64 == 0);
    CHECK(half.smallest <= half.budget);
    CHECK(half.sessions == parallel);
    CHECK(largest_context(*model, options) == half.context);
    CHECK(Engine(model, options).context() == half.context);
    options.context = half.context + 64;
    CHECK(plan_memory(*model, options).context == half.context + 64);
  }
  options = spared(least);
  options.max_batch = 16;
  CHECK(plan_memory(*model, options).context == 256);
  options = spared(least - 1);
  options.max_batch = 16;
  CHECK_THROWS_AS(plan_memory(*model, options), BudgetError);
  options.memory = {whole};
  CHECK(plan_memory(*model, options).context == 4096);  // whoever names bytes gets what fits
  options.memory = {whole - 1};
  CHECK(plan_memory(*model, options).context < 4096);
  options.memory = {0, 0.9};
  CHECK(plan_memory(*model, options).context == 4096);
  CHECK(largest_context(*model, options) < 20'000);  // caches come on top, in what is free
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
