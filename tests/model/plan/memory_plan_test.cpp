// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/plan/memory_plan.hpp"

#include <algorithm>
#include <string>

#include "flashlm/base/error.hpp"
#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/storage/format/bundle_layout.hpp"
#include "flashlm/stream/pass_layout.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using model::MemoryNeeds;
using model::MemoryPlan;
using model::WeightKind;

namespace {

/// About the sizes of SmolLM2-135M in f16; with an embedding of its own if it is not tied.
MemoryNeeds needs(bool tied = true) {
  MemoryNeeds needs;
  const storage::BundleLayout layout = storage::BundleLayout::make(1536, 32, 576, true, DType::f16);
  std::uint64_t at = 147456;
  const auto add = [&](WeightKind kind, stream::Segment segment) {
    needs.segments.push_back(segment);
    needs.kinds.push_back(kind);
  };
  for (std::uint32_t layer = 0; layer < 30; ++layer) {
    for (const std::size_t rows : {576u, 192u, 192u, 576u}) {
      add(WeightKind::attention, {30, at, rows, 1152});
      at += rows * 1152;
    }
    add(WeightKind::neurons, {layer, 4096, layout.n_bundles(), layout.stride});
  }
  add(WeightKind::head, {30, at, 49152, 1152});
  needs.n_passed = needs.segments.size();
  if (!tied) add(WeightKind::embedding, {30, at + 49152 * 1152, 49152, 1152});
  needs.resident = 61 * 2304;
  needs.kv = 94'000'000;
  needs.scratch = 8'000'000;
  needs.context = 4096;
  return needs;
}

std::uint64_t smallest_of(const MemoryNeeds& needs) {
  try {
    MemoryPlan::resolve(needs, {1000, std::nullopt});
  } catch (const BudgetError& error) {
    return error.smallest_bytes();
  }
  return 0;
}

std::uint64_t pinned_bytes(const MemoryPlan& plan) {
  std::uint64_t sum = 0;
  for (const MemoryPlan::Share& share : plan.shares) sum += share.pinned;
  return sum;
}

}  // namespace

TEST_CASE(
    "a plan never spends more than its budget, and adds up, from the smallest to everything") {
  const MemoryNeeds given = needs();
  for (std::uint64_t budget = smallest_of(given); budget < 400'000'000; budget += 7'777'777) {
    const MemoryPlan plan = MemoryPlan::resolve(given, {budget, std::nullopt});
    CHECK(plan.total <= budget);
    CHECK(plan.total == plan.resident + plan.pinned + plan.stream + plan.kv + plan.scratch);
    CHECK(plan.smallest <= budget);
    CHECK(pinned_bytes(plan) <= plan.pinned);
    CHECK(plan.weights == plan.resident + pinned_bytes(plan) + plan.streamed());
    if (plan.streamed() > 0) {
      CHECK(plan.ring.n_slots >= 2);
      CHECK(plan.ring.slot_bytes == plan.layout->slot_bytes());
      CHECK(plan.budget - plan.total <
            plan.ring.slot_bytes);  // nothing that could be pinned is left over
    } else {
      CHECK(plan.stream == 0);
    }
  }
}

TEST_CASE("a small budget keeps a small ring, and a large one reads in big pieces") {
  const MemoryNeeds given = needs();
  const std::uint64_t smallest = smallest_of(given);
  CHECK(smallest < given.kv + given.scratch + 1'000'000);
  const MemoryPlan least = MemoryPlan::resolve(given, {smallest, std::nullopt});
  CHECK(least.pinned == 0);
  CHECK(least.ring.n_slots == 2);
  const MemoryPlan half = MemoryPlan::resolve(given, {0, 0.5});
  CHECK(half.ring.slot_bytes >= 1u << 19);
  CHECK(half.ring.n_slots >= 6);
  CHECK(half.ring.bytes() <= (std::size_t{13} << 20));  // more leaves the processor's cache
  CHECK(half.stream < half.pinned / 10);
}

TEST_CASE("a budget that is a little short of everything streams a little") {
  const MemoryNeeds given = needs();
  const std::uint64_t all = MemoryPlan::resolve(given, {0, 1.0}).total;
  const MemoryPlan plan = MemoryPlan::resolve(given, {all - 100'000, std::nullopt});
  CHECK(plan.streamed() > 0);
  CHECK(plan.streamed() < 1'000'000);
}

TEST_CASE("every kind of weight is pinned alike, but for an embedding that is read by row") {
  const MemoryNeeds given = needs(false);
  const MemoryPlan half = MemoryPlan::resolve(given, {0, 0.5});
  CHECK(half.share(WeightKind::embedding).pinned < half.ring.slot_bytes);  // what was left over
  for (const WeightKind kind : {WeightKind::attention, WeightKind::neurons, WeightKind::head}) {
    const MemoryPlan::Share& share = half.share(kind);
    const double passed =
        static_cast<double>(half.weights - half.share(WeightKind::embedding).bytes);
    CHECK(static_cast<double>(share.pinned) / static_cast<double>(share.bytes) ==
          Approx(static_cast<double>(half.pinned) / passed).margin(0.1));
  }
  const MemoryPlan most = MemoryPlan::resolve(given, {0, 0.95});
  CHECK(most.streamed() == 0);
  CHECK(most.share(WeightKind::embedding).streamed() > 0);
}

TEST_CASE("a share counts weights only, with KV cache, scratch and part-filled pages on top") {
  const MemoryNeeds given = needs();
  const MemoryPlan half = MemoryPlan::resolve(given, {0, 0.5});
  const std::uint64_t beside = given.kv + given.scratch;
  CHECK(half.budget >= half.weights / 2 + beside);
  CHECK(half.budget < half.weights / 2 + beside + 200 * kPageBytes);
  const MemoryPlan all = MemoryPlan::resolve(given, {0, 1.0});
  CHECK(all.streamed() == 0);
  CHECK(all.pinned_share() == 1);
  const MemoryPlan more = MemoryPlan::resolve(given, {0, 3.0});
  CHECK(more.total == all.total);
}

TEST_CASE("the smallest budget of a BudgetError works, and one byte less does not") {
  const MemoryNeeds given = needs();
  const std::uint64_t smallest = smallest_of(given);
  CHECK_THROWS_WITH(MemoryPlan::resolve(given, {1000, std::nullopt}),
                    Catch::Matchers::Contains(std::to_string(smallest)) &&
                        Catch::Matchers::Contains("got 1000 bytes"));
  REQUIRE(smallest > 0);
  CHECK(MemoryPlan::resolve(given, {smallest, std::nullopt}).total <= smallest);
  CHECK_THROWS_AS(MemoryPlan::resolve(given, {smallest - 1, std::nullopt}), BudgetError);
}

TEST_CASE("a BudgetError tells what a selector takes") {
  MemoryNeeds given = needs();
  given.window = {
      .selector = 100 << 20, .row_bytes = 4096, .least_rows = 256, .most_rows = 100'000};
  CHECK_THROWS_WITH(
      MemoryPlan::resolve(given, {1000, std::nullopt}),
      Catch::Matchers::Contains(
          "the selector 100 MiB, rows for its neurons 1.00 MiB, two buffers for weights on"));
}

TEST_CASE("every further session takes room for its keys and values from the pinned weights") {
  const MemorySize memory{400'000'000, std::nullopt};
  const MemoryPlan one = MemoryPlan::resolve(needs(), memory, 1);
  const MemoryPlan two = MemoryPlan::resolve(needs(), memory, 2, &one);
  CHECK(two.kv == 2 * one.kv);
  CHECK(two.pinned < one.pinned);
  CHECK(two.total <= memory.bytes);
  CHECK(two.layout == one.layout);
  for (std::size_t piece = 0; piece < two.pinned_pieces.size(); ++piece) {
    if (two.pinned_pieces[piece]) CHECK(one.pinned_pieces[piece]);
  }
  CHECK_THROWS_AS(MemoryPlan::resolve(needs(), memory, 5, &two), BudgetError);
}

TEST_CASE(
    "an automatic budget takes what it is given, at most everything, and says where it is from") {
  MemoryNeeds given = needs();
  given.limit = {MemoryBound::group, 400u << 20, 300u << 20};
  const MemoryPlan all = MemoryPlan::resolve(given, {0, 1.0});
  const MemoryPlan plenty =
      MemoryPlan::resolve(given, {.bytes = std::uint64_t{1} << 50, .automatic = true});
  CHECK(plenty.total == all.total);
  CHECK(plenty.budget == all.budget);
  CHECK(plenty.streamed() == 0);
  const MemoryPlan some = MemoryPlan::resolve(given, {.bytes = 200'000'000, .automatic = true});
  CHECK(some.budget == 200'000'000);
  CHECK(some.total <= some.budget);
  CHECK_THAT(some.table(),
             Catch::Matchers::Contains("free memory") &&
                 Catch::Matchers::Contains("of the control group's 400 MiB; 100 MiB stay free"));
  CHECK_THAT(MemoryPlan::resolve(given, {200'000'000}).table(),
             !Catch::Matchers::Contains("free memory"));
  CHECK_THROWS_WITH(
      MemoryPlan::resolve(given, {.bytes = 1000, .automatic = true}),
      Catch::Matchers::Contains(
          "got 1000 bytes, which auto found: 300 MiB of the control group's 400 MiB are free") &&
          Catch::Matchers::Contains("memory in bytes may take what auto keeps free."));
}

TEST_CASE("an automatic budget has room for every neuron that a selector may choose") {
  MemoryNeeds given = needs();
  given.window = {.neurons = 400'000'000,
                  .selector = 1'000'000,
                  .row_bytes = 4000,
                  .least_rows = 100,
                  .most_rows = 100'000};
  const MemoryPlan plan =
      MemoryPlan::resolve(given, {.bytes = std::uint64_t{1} << 50, .automatic = true});
  CHECK(plan.n_rows == 100'000);
  CHECK(plan.streamed() == 0);
  CHECK(plan.total <= plan.budget);
}

TEST_CASE("a plan shrinks to what it is told, and a model that was pinned whole gets a ring") {
  const MemoryNeeds given = needs();
  MemoryPlan plan = MemoryPlan::resolve(given, {0, 1.0});
  for (const std::uint64_t bytes : {200'000'000u, 150'000'000u, 30'000'000u, 0u}) {
    const MemoryPlan before = plan;
    plan = plan.shrunk(given, bytes);
    CHECK(plan.pinned + plan.stream <=
          std::max<std::uint64_t>(bytes, 2 * plan.layout->slot_bytes()));
    CHECK(plan.pinned < before.pinned);
    CHECK(plan.ring.n_slots >= 2);
  }
  CHECK(plan.pinned == 0);
}

TEST_CASE("rows of neurons go before pinned weights, and what was given back is not taken again") {
  MemoryNeeds given = needs();
  given.window = {.neurons = 400'000'000,
                  .selector = 1'000'000,
                  .row_bytes = 4000,
                  .least_rows = 100,
                  .most_rows = 100'000};
  const MemorySize memory{700'000'000, std::nullopt};
  const MemoryPlan plan = MemoryPlan::resolve(given, memory);
  REQUIRE(plan.n_rows > 20'000);
  const std::uint64_t others = plan.pinned + plan.stream;
  const MemoryPlan fewer = plan.shrunk(given, others + 40'000'000);
  CHECK(fewer.n_rows == 10'000);
  CHECK(fewer.pinned_pieces == plan.pinned_pieces);
  CHECK(fewer.total == plan.total - (plan.window - fewer.window));
  const MemoryPlan least = fewer.shrunk(given, others - 20'000'000);
  CHECK(least.n_rows == 100);
  CHECK(least.pinned < plan.pinned);
  CHECK(MemoryPlan::resolve(given, memory, 2, &fewer).n_rows <= 10'000);
}

TEST_CASE("a plan that shrinks never grows, ends with the least, and says so") {
  MemoryNeeds given = needs();
  given.window = {
      .neurons = 400'000'000, .row_bytes = 4000, .least_rows = 100, .most_rows = 100'000};
  for (const double share : {0.1, 0.5, 1.0}) {
    MemoryPlan plan = MemoryPlan::resolve(given, {0, share});
    int steps = 0;
    for (; plan.can_shrink(); ++steps) {
      const MemoryPlan before = plan;
      const std::uint64_t held = plan.window + plan.pinned + plan.stream;
      plan = plan.shrunk(given, held - std::min<std::uint64_t>(held, 48u << 20));
      REQUIRE(plan.total < before.total);
      REQUIRE(plan.total ==
              plan.resident + plan.pinned + plan.stream + plan.window + plan.kv + plan.scratch);
    }
    CHECK(steps > 0);
    CHECK(plan.n_rows == 100);
    CHECK(plan.pinned + plan.stream == 2 * plan.layout->slot_bytes());
    CHECK(plan.shrunk(given, 0).total == plan.total);
  }
}

TEST_CASE("weights that take less than two slots stay, since streaming them would take more") {
  MemoryNeeds given;
  given.segments = {{0, 4096, 3, 4096}};
  given.kinds = {WeightKind::head};
  given.n_passed = 1;
  const MemoryPlan plan = MemoryPlan::resolve(given, {0, 1.0});
  REQUIRE(plan.ring.n_slots == 0);
  CHECK_FALSE(plan.can_shrink());
  CHECK(plan.shrunk(given, 0).pinned == plan.pinned);
}

TEST_CASE("the table names every part") {
  const std::string table = MemoryPlan::resolve(needs(), {0, 0.5}).table();
  for (const char* part : {"resident weights", "pinned weights", "attention", "neurons", "head",
                           "stream slots", "KV cache", "scratch", "total"}) {
    CHECK_THAT(table, Catch::Matchers::Contains(part));
  }
}
