// SPDX-License-Identifier: Apache-2.0
/// engine_window_memory_test.cpp: the memory of an engine whose selector chooses single neurons:
/// its least, and rows that go back.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "flashlm/model/engine.hpp"
#include "support/allocation_counter.hpp"
#include "support/catch.hpp"
#include "support/engine_runs.hpp"
#include "support/predictor_file.hpp"
#include "support/tiny_model.hpp"
#include "support/tokens.hpp"
#include "support/windowed_engine.hpp"

using namespace flashlm;
using namespace flashlm::model;
using namespace support::windowed;
using support::memory_reader;
using support::options;
using support::run;
using support::same_bits;

TEST_CASE(
    "rows of neurons go back when memory becomes short, and neither bits nor further sessions take "
    "them again") {
  const std::vector<Token> tokens = support::random_tokens(12);
  const support::TinyModel tiny(shape_of(true));
  Engine dense(Model::open(tiny.path(), "dense"), options(1.0));
  const std::vector<float> expected = run(dense, tokens, 1);
  EngineOptions governed = options(1.0);
  MemoryState state;
  governed.sensor = [&] { return state; };
  Engine engine(Model::open(tiny.path(), "gate"), governed);
  CHECK(same_bits(run(engine, tokens, 1), expected));
  const MemoryPlan before = engine.memory_plan();
  state.room = Governor::kLow - 1;
  const double start = now_seconds();
  while (now_seconds() - start < 2 * Governor::kInterval) {
  }
  KvCache kv = engine.add_session();
  Stats stats;
  std::vector<float> logits(kVocab);
  engine.forward(kv, 0, std::span(tokens).first(1), logits, Phase::decode, stats);
  const MemoryPlan after = engine.memory_plan();
  CHECK(after.n_rows < before.n_rows);
  CHECK(after.total < before.total);
  CHECK(stats.governor.shrunk_rows == before.n_rows - after.n_rows);
  CHECK(stats.governor.shrunk_bytes ==
        before.window + before.pinned + before.stream - after.window - after.pinned - after.stream);
  state.room = MemoryState::kUnlimited;
  CHECK(same_bits(run(engine, tokens, 1), expected));
  CHECK(same_bits(run(engine, tokens, 8), expected));
  CHECK(engine.memory_plan().n_rows <= after.n_rows);
}

TEST_CASE(
    "a step allocates nothing while memory is short and all that can go is gone, with every "
    "policy") {
  const std::vector<Token> tokens = support::random_tokens(12);
  const support::TinyModel tiny(shape_of(true));
  Engine dense(Model::open(tiny.path(), "dense"), options(1.0));
  const std::vector<float> expected = run(dense, tokens, 1);
  const auto gate = Model::open(tiny.path(), "gate");
  for (const std::string policy : {"auto", "paper"}) {
    CAPTURE(policy);
    EngineOptions governed = options(1.0);
    governed.policy = policy;
    governed.sensor = [] { return MemoryState{.room = 0}; };
    Engine engine(gate, governed);
    KvCache kv = engine.add_session();
    Stats stats;
    std::vector<float> logits(kVocab);
    // The same token again and again, until the governor has looked that often: it does so by the
    // clock.
    const auto look = [&](std::uint64_t n_looks) {
      while (stats.governor.looks < n_looks) {
        engine.forward(kv, 0, std::span(tokens).first(1), logits, Phase::decode, stats);
      }
    };
    look(3);
    const MemoryPlan& plan = engine.memory_plan();
    CHECK(plan.n_rows == plan.least_rows);
    CHECK_FALSE(plan.can_shrink());
    CHECK(stats.governor.shrinks == 1);
    const std::size_t before = support::allocation_count();
    look(5);
    CHECK(support::allocation_count() == before);
    CHECK(stats.governor.shrinks == 1);
    CHECK(near(run(engine, tokens, 1), expected, policy == "paper" ? 1e-3f : 0.0f));
  }
}

TEST_CASE(
    "the paper's cache gives rows back when memory becomes short, and goes on with those that are "
    "left") {
  const std::vector<Token> tokens = support::random_tokens(16);
  const support::TinyModel tiny(shape_of(false));
  Engine dense(Model::open(tiny.path(), "dense"), options(1.0));
  const std::vector<float> expected = run(dense, tokens, 1);
  const auto gate = Model::open(tiny.path(), "gate");
  EngineOptions governed = options(1.0);
  governed.policy = "paper";
  governed.window = 3;
  MemoryState state;
  governed.sensor = [&] { return state; };
  auto reader = memory_reader(*gate);
  storage::MemoryReader* device = reader.get();
  Engine engine(gate, governed, std::move(reader));
  const MemoryPlan before = engine.memory_plan();
  KvCache kv = engine.add_session();
  Stats stats;
  std::vector<float> logits(kVocab), all;
  for (std::size_t at = 0; at < tokens.size(); ++at) {
    const std::uint64_t misses = stats.misses;
    // Half of the tokens later the system is short of memory for one look.
    const std::uint64_t n_looks = stats.governor.looks + (at == 8 ? 1 : 0);
    if (at == 8)
      state = {.room = Governor::kShort - 1, .major_faults = stats.governor.looks * 1000};
    do {
      engine.forward(kv, at, std::span(tokens).subspan(at, 1), logits, Phase::decode, stats);
    } while (stats.governor.looks < n_looks);
    state = {};
    all.insert(all.end(), logits.begin(), logits.end());
    CHECK(stats.hits + stats.misses == stats.selected);
    if (at == 8) CHECK(stats.misses > misses);  // the rows are new and empty
  }
  const MemoryPlan after = engine.memory_plan();
  CHECK(after.n_rows < before.n_rows);
  CHECK(after.n_rows >= after.least_rows);
  CHECK(after.total < before.total);
  CHECK(stats.governor.shrinks == 1);
  CHECK(stats.governor.shrunk_rows == before.n_rows - after.n_rows);
  CHECK(stats.governor.shrunk_bytes == before.total - after.total);
  CHECK(device->n_open() == 0);
  CHECK(near(all, expected, 1e-3f));
}

TEST_CASE(
    "rows below one token's neurons are told when the model is opened, if it is known how many "
    "these are") {
  const support::TinyModel tiny(shape_of(false));
  const auto notes = [&](const std::string& selected, double share) {
    support::write_predictor(tiny.path(), {.metadata = {{"selected", selected}}});
    const auto model = Model::open(tiny.path(), "predictor");
    const MemoryPlan plan = Engine(model, options(share)).memory_plan();
    CHECK((plan.table().find("note: ") != std::string::npos) == !plan.notes.empty());
    return plan.notes;
  };
  REQUIRE(notes("0.9", 0.5).size() == 1);
  CHECK(notes("0.9", 0.5)[0].find(" of the 405 neurons that a token needs") != std::string::npos);
  CHECK(notes("0.9", 1.0).empty());
  for (const char* unknown : {"", "many", "nan", "7", "0.5 or so"})
    CHECK(notes(unknown, 0.5).empty());
}

TEST_CASE(
    "the smallest budget with a selector works, one byte less does not, and sessions take rows") {
  const support::TinyModel tiny(shape_of(true));
  const auto gate = Model::open(tiny.path(), "gate");
  const std::vector<Token> tokens = support::random_tokens(10);
  Engine dense(Model::open(tiny.path(), "dense"), options(1.0));
  const std::vector<float> expected = run(dense, tokens, 8);
  Engine half(gate, options(0.7));
  EngineOptions least = options(0.7);
  least.memory = {half.memory_plan().smallest, std::nullopt};
  Engine small(gate, least);
  CHECK(small.memory_plan().total <= least.memory.bytes);
  CHECK(same_bits(run(small, tokens, 1), expected));
  --least.memory.bytes;
  CHECK_THROWS_AS(Engine(gate, least), BudgetError);

  EngineOptions fixed = options(1.0);
  fixed.memory = {half.memory_plan().total, std::nullopt};
  Engine shared(gate, fixed);
  const std::size_t n_rows = shared.memory_plan().n_rows;
  KvCache one = shared.add_session(), two = shared.add_session();
  CHECK(shared.memory_plan().total <= fixed.memory.bytes);
  CHECK(shared.memory_plan().n_rows < n_rows);
  CHECK_THROWS_AS(shared.observe([](auto...) {}), ArgumentError);
}
