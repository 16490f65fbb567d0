// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/budget_keeper.hpp"

#include <cstdint>

#include "flashlm/model/plan/memory_needs.hpp"
#include "support/catch.hpp"
#include "support/engine_runs.hpp"
#include "support/tiny_model.hpp"

using namespace flashlm;
using namespace flashlm::model;

namespace {

/// A budget of the whole model, and a pass that holds what it says.
struct Kept {
  explicit Kept(Governor::Sensor sensor) {
    options.memory = {0, 1.0};
    options.context = 32;
    options.n_threads = 1;
    options.sensor = std::move(sensor);
    options = complete(std::move(options), *model);
    budget.emplace(*model, options, 1);
    pass.emplace(*model, options, budget->plan(), *reader, parallel);
    pass->load({});
  }

  support::TinyModel tiny;
  std::shared_ptr<const Model> model = Model::open(tiny.path());
  std::unique_ptr<storage::Reader> reader = support::memory_reader(*model);
  Parallel parallel{1};
  EngineOptions options;
  std::optional<BudgetKeeper> budget;
  std::optional<Pass> pass;
};

}  // namespace

TEST_CASE("weights are given back when room is short, and the plan says so") {
  std::uint64_t room = std::uint64_t{1} << 40;
  Kept kept([&] { return MemoryState{.room = room}; });
  const std::uint64_t pinned = kept.budget->plan().pinned;
  kept.budget->govern(*kept.pass);
  CHECK(kept.budget->plan().pinned == pinned);
  CHECK(kept.budget->stats().looks == 1);
  room = 0;
  while (kept.budget->stats().looks == 1) kept.budget->govern(*kept.pass);
  CHECK(kept.budget->plan().pinned < pinned);
  CHECK(kept.budget->copy().pinned == kept.budget->plan().pinned);
  CHECK(kept.budget->stats().shrinks == 1);
}

TEST_CASE("a session beyond the plan takes the place of pinned weights, and too many are refused") {
  Kept kept([] { return MemoryState{.room = std::uint64_t{1} << 40}; });
  const MemoryPlan before = kept.budget->copy();
  kept.budget->make_room(1, *kept.pass);
  CHECK(kept.budget->plan().pinned == before.pinned);
  kept.options.memory = {before.total, std::nullopt};
  kept.budget->make_room(2, *kept.pass);
  CHECK(kept.budget->plan().sessions == 2);
  CHECK(kept.budget->plan().pinned < before.pinned);
  const std::uint64_t pinned = kept.budget->plan().pinned;
  CHECK_THROWS_AS(kept.budget->make_room(100000, *kept.pass), BudgetError);
  CHECK(kept.budget->plan().pinned == pinned);
  CHECK(kept.budget->plan().sessions == 2);
}
