// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/memory_plan.hpp"

#include <numeric>

#include "support/catch.hpp"

using namespace flashlm;
using model::MemoryNeeds;
using model::MemoryPlan;
using storage::BundleLayout;

namespace {

/// About the sizes of SmolLM2-135M in f16.
MemoryNeeds needs() {
  MemoryNeeds needs;
  needs.resident = 110'000'000;
  needs.layers.assign(30, BundleLayout::make(1536, 32, 576, true, DType::f16));
  needs.kv = 94'000'000;
  needs.scratch = 8'000'000;
  needs.context = 4096;
  return needs;
}

}  // namespace

TEST_CASE("a plan never spends more than its budget, and adds up") {
  const MemoryNeeds given = needs();
  for (std::uint64_t budget = 213'000'000; budget < 400'000'000; budget += 3'333'333) {
    const MemoryPlan plan = MemoryPlan::resolve(given, {budget, std::nullopt});
    CHECK(plan.total <= budget);
    CHECK(plan.total == plan.resident + plan.pinned + plan.stream + plan.kv + plan.scratch);
    CHECK(plan.pinned == std::accumulate(plan.pinned_bundles.begin(), plan.pinned_bundles.end(), std::uint64_t{0}) *
                             given.layers[0].stride);
    CHECK(plan.smallest <= budget);
    if (plan.pinned < plan.neurons) {
      CHECK(plan.ring.n_slots >= 2);
      CHECK(plan.ring.slot_bytes >= given.layers[0].stride);
      CHECK(plan.budget - plan.total < given.layers[0].stride);  // nothing that could be pinned is left over
    } else {
      CHECK(plan.stream == 0);
    }
  }
}

TEST_CASE("layers are pinned alike, give or take one bundle") {
  const MemoryPlan plan = MemoryPlan::resolve(needs(), {300'000'000, std::nullopt});
  const auto [least, most] = std::minmax_element(plan.pinned_bundles.begin(), plan.pinned_bundles.end());
  CHECK(*most - *least <= 1);
  CHECK(*most > 0);
}

TEST_CASE("a share counts weights only, with KV cache and scratch on top") {
  const MemoryNeeds given = needs();
  const MemoryPlan half = MemoryPlan::resolve(given, {0, 0.5});
  CHECK(half.budget == (given.resident + given.neurons()) / 2 + given.kv + given.scratch);
  const MemoryPlan all = MemoryPlan::resolve(given, {0, 1.0});
  CHECK(all.pinned == all.neurons);
  CHECK(all.pinned_share() == 1);
  const MemoryPlan more = MemoryPlan::resolve(given, {0, 3.0});
  CHECK(more.total == all.total);
}

TEST_CASE("the smallest budget of a BudgetError works, and one byte less does not") {
  const MemoryNeeds given = needs();
  std::uint64_t smallest = 0;
  try {
    MemoryPlan::resolve(given, {1000, std::nullopt});
  } catch (const BudgetError& error) {
    smallest = error.smallest_bytes();
    CHECK_THAT(error.what(),
               Catch::Matchers::Contains(std::to_string(smallest)) && Catch::Matchers::Contains("got 1000 bytes"));
  }
  REQUIRE(smallest > 0);
  CHECK(MemoryPlan::resolve(given, {smallest, std::nullopt}).total <= smallest);
  CHECK_THROWS_AS(MemoryPlan::resolve(given, {smallest - 1, std::nullopt}), BudgetError);
}

TEST_CASE("every further session takes room for its keys and values from the pinned neurons") {
  const MemorySize memory{400'000'000, std::nullopt};
  const MemoryPlan one = MemoryPlan::resolve(needs(), memory, 1);
  const MemoryPlan two = MemoryPlan::resolve(needs(), memory, 2);
  CHECK(two.kv == 2 * one.kv);
  CHECK(two.pinned < one.pinned);
  CHECK(two.total <= memory.bytes);
  CHECK_THROWS_AS(MemoryPlan::resolve(needs(), memory, 4), BudgetError);
}

TEST_CASE("the table names every part") {
  const std::string table = MemoryPlan::resolve(needs(), {0, 0.5}).table();
  for (const char* part : {"resident weights", "pinned neurons", "stream slots", "KV cache", "scratch", "total"}) {
    CHECK_THAT(table, Catch::Matchers::Contains(part));
  }
}
