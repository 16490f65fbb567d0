// SPDX-License-Identifier: Apache-2.0
/// engine_window_test.cpp: an engine whose selector chooses single neurons
/// (units/ffn/windowed_ffn.hpp).
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "flashlm/model/engine.hpp"
#include "flashlm/model/kv/kv_fingerprint.hpp"
#include "support/allocation_counter.hpp"
#include "support/catch.hpp"
#include "support/engine_runs.hpp"
#include "support/predictor_file.hpp"
#include "support/readers.hpp"
#include "support/tiny_model.hpp"
#include "support/tokens.hpp"

using namespace flashlm;
using namespace flashlm::model;
using support::memory_reader;
using support::run;
using support::same_bits;

namespace {

constexpr std::size_t kVocab = support::TinyShape::kVocabSize;

support::TinyShape shape_of(bool gated) {
  support::TinyShape shape = gated ? support::TinyShape() : support::TinyShape::opt();
  shape.dim = 64;
  shape.head_dim = 16;
  shape.neurons_per_bundle = 1;
  shape.activation = "relu";
  shape.dtype = DType::f16;
  return shape;
}

EngineOptions options(double share, int n_threads = 1) {
  EngineOptions options;
  options.memory = {0, share};
  options.n_threads = n_threads;
  options.max_batch = 8;
  return options;
}

/// Whether no logit is further off than that share of the largest; all bits, where the share is 0.
bool near(const std::vector<float>& got, const std::vector<float>& expected, float tolerance) {
  if (tolerance == 0) return same_bits(got, expected);
  float largest = 0, worst = 0;
  for (std::size_t at = 0; at < expected.size(); ++at) {
    largest = std::max(largest, std::abs(expected[at]));
    worst = std::max(worst, std::abs(got[at] - expected[at]));
  }
  return worst <= tolerance * largest;
}

}  // namespace

TEST_CASE(
    "gate and dense give the same logits, bit for bit, for every budget, policy, reader, thread "
    "count and cut") {
  const std::vector<Token> tokens = support::random_tokens(17);
  for (const bool gated : {true, false}) {
    const support::TinyModel tiny(shape_of(gated));
    Engine dense(Model::open(tiny.path(), "dense"), options(1.0));
    const std::vector<float> expected = run(dense, tokens, 8);
    const auto gate = Model::open(tiny.path(), "gate");
    for (const std::string policy : {"auto", "window", "lru", "frequency", "none"}) {
      for (const double share : {0.7, 1.0}) {
        EngineOptions chosen = options(share, policy == "lru" ? 3 : 1);
        chosen.policy = policy;
        if (policy == "window") chosen.window = 3;
        CAPTURE(gated, policy, share);
        Engine engine(gate, chosen, memory_reader(*gate));
        CHECK(engine.memory_plan().n_rows > 0);
        CHECK(engine.memory_plan().total <= engine.memory_plan().budget);
        for (const std::size_t batch : {1u, 5u, 8u})
          REQUIRE(same_bits(run(engine, tokens, batch), expected));
      }
    }
    for (const std::string reader : {"threads", "uring"}) {
      if (reader == "uring" && !support::uring_allowed()) continue;
      EngineOptions chosen = options(0.75, 2);
      chosen.reader = reader;
      Engine engine(gate, chosen);
      for (const std::size_t batch : {1u, 8u})
        REQUIRE(same_bits(run(engine, tokens, batch), expected));
    }
  }
}

TEST_CASE(
    "a predictor's logits do not depend on budget, policy, threads or cut, and all neurons are "
    "dense") {
  const std::vector<Token> tokens = support::random_tokens(17);
  const support::TinyModel tiny(shape_of(false));
  Engine dense(Model::open(tiny.path()), options(1.0));
  const std::vector<float> all = run(dense, tokens, 8);
  support::write_predictor(tiny.path(), {.threshold = 0.5f});
  Engine whole(Model::open(tiny.path()), options(1.0));
  const std::vector<float> expected = run(whole, tokens, 8);
  CHECK_FALSE(same_bits(expected, all));
  for (const std::string policy : {"auto", "lru"}) {
    for (const double share : {0.4, 0.6}) {
      EngineOptions chosen = options(share, policy == "lru" ? 2 : 1);
      chosen.policy = policy;
      Engine engine(Model::open(tiny.path(), "predictor"), chosen);
      for (const std::size_t batch : {1u, 3u, 8u})
        REQUIRE(same_bits(run(engine, tokens, batch), expected));
    }
  }
  support::write_predictor(tiny.path(), {.threshold = -std::numeric_limits<float>::infinity()});
  Engine everything(Model::open(tiny.path(), "predictor"), options(0.5));
  CHECK(same_bits(run(everything, tokens, 4), all));
}

TEST_CASE(
    "the paper's cache keeps the budget, comes close to dense, and its results stay apart from "
    "others") {
  const std::vector<Token> tokens = support::random_tokens(17);
  for (const bool gated : {true, false}) {
    const support::TinyModel tiny(shape_of(gated));
    auto dense = std::make_shared<Engine>(Model::open(tiny.path(), "dense"), options(1.0));
    const std::vector<float> expected = run(*dense, tokens, 8);
    const auto gate = Model::open(tiny.path(), "gate");
    for (const double share : {0.7, 1.0}) {
      EngineOptions chosen = options(share);
      chosen.policy = "paper";
      chosen.window = 3;
      auto engine = std::make_shared<Engine>(gate, chosen, memory_reader(*gate));
      CHECK(engine->memory_plan().n_rows >= gate->spec().n_layers());
      CHECK(engine->memory_plan().total <= engine->memory_plan().budget);
      CHECK(engine->numerics() == "paper 3");
      // Keys and values are f16.
      for (const std::size_t batch : {1u, 8u})
        CHECK(near(run(*engine, tokens, batch), expected, 1e-3f));
      CHECK(kv_fingerprint(*gate, gate->kv_dtype(), engine->numerics()) !=
            kv_fingerprint(*gate, gate->kv_dtype()));
      KvCache kv = engine->add_session();
      Stats stats;
      std::vector<float> logits(kVocab);
      for (std::size_t at = 0; at < 2; ++at) {
        engine->forward(kv, at, std::span(tokens).subspan(at, 1), logits, Phase::decode, stats);
      }
      const std::size_t before = support::allocation_count();
      for (std::size_t at = 2; at < tokens.size(); ++at) {
        engine->forward(kv, at, std::span(tokens).subspan(at, 1), logits, Phase::decode, stats);
      }
      CHECK(support::allocation_count() == before);
      CHECK(stats.hits > 0);
    }
    CHECK(dense->numerics().empty());
  }
}

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

TEST_CASE("statistics tell what was chosen, found and read") {
  const support::TinyModel tiny(shape_of(true));
  support::write_predictor(tiny.path(), {.threshold = 0.5f});
  const auto model = Model::open(tiny.path());
  Engine engine(model, options(0.7), memory_reader(*model));
  KvCache kv = engine.add_session();
  Stats stats;
  std::vector<float> logits(kVocab);
  const std::vector<Token> tokens = support::random_tokens(20);
  for (std::size_t at = 0; at < tokens.size(); ++at) {
    engine.forward(kv, at, std::span(tokens).subspan(at, 1), logits, Phase::decode, stats);
  }
  const std::size_t stride = model->bundles().layout(0).stride;
  CHECK(stats.selected > 0);
  CHECK(stats.hits + stats.misses == stats.selected);
  CHECK(stats.hit_rate() == static_cast<double>(stats.hits) / static_cast<double>(stats.selected));
  CHECK(stats.hits > 0);
  CHECK(stats.window > 0);
  REQUIRE(engine.memory_plan().streamed() == 0);
  CHECK(stats.bytes_read == stats.misses * stride + stats.gap_bytes);
  CHECK(stats.select_seconds > 0);
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
    "a step with a selector allocates nothing, and a read that fails leaves the session as it "
    "was") {
  const support::TinyModel tiny(shape_of(false));
  const auto gate = Model::open(tiny.path(), "gate");
  const std::vector<Token> tokens = support::random_tokens(24);
  Engine dense(Model::open(tiny.path(), "dense"), options(1.0));
  const std::vector<float> expected = run(dense, tokens, 1);
  EngineOptions chosen = options(0.7);
  // With the least memory attention and head are streamed too, and their reads are in flight beside
  // those of neurons.
  if (GENERATE(false, true))
    chosen.memory = {Engine(gate, chosen).memory_plan().smallest, std::nullopt};
  auto reader = memory_reader(*gate);
  storage::MemoryReader* seen = reader.get();
  Engine engine(gate, chosen, std::move(reader));
  KvCache kv = engine.add_session();
  Stats stats;
  std::vector<float> logits(kVocab);
  const auto step = [&](std::size_t at) {
    engine.forward(kv, at, std::span(tokens).subspan(at, 1), logits, Phase::decode, stats);
  };
  step(0);
  const std::size_t before = support::allocation_count();
  for (std::size_t at = 1; at < 12; ++at) step(at);
  CHECK(support::allocation_count() == before);
  std::size_t failures = 0;
  for (std::size_t at = 12; at < tokens.size(); ++at) {
    seen->fail_at(at % 5, EIO);
    for (int attempt = 0; attempt < 3; ++attempt) {
      try {
        step(at);
        break;
      } catch (const IoError& error) {
        ++failures;
        CHECK(error.code() == EIO);
      }
    }
    REQUIRE(std::memcmp(logits.data(), expected.data() + at * kVocab, kVocab * sizeof(float)) == 0);
  }
  CHECK(failures > 0);
}

TEST_CASE(
    "a step with a selector can be stopped while a device stalls, does not wait for it, and can be "
    "tried again") {
  const support::TinyModel tiny(shape_of(false));
  const auto gate = Model::open(tiny.path(), "gate");
  const std::vector<Token> tokens = support::random_tokens(12);
  Engine dense(Model::open(tiny.path(), "dense"), options(1.0));
  const std::vector<float> expected = run(dense, tokens, 1);
  struct Stop {};
  bool stop = false;
  EngineOptions watched = options(0.7);
  watched.on_wait = [&] {
    if (stop) throw Stop();
  };
  auto reader = memory_reader(*gate);
  storage::MemoryReader* seen = reader.get();
  Engine engine(gate, watched, std::move(reader));
  KvCache kv = engine.add_session();
  Stats stats;
  std::vector<float> logits(kVocab);
  bool left = false;
  for (std::size_t at = 0; at < tokens.size(); ++at) {
    const auto step = [&] {
      engine.forward(kv, at, std::span(tokens).subspan(at, 1), logits, Phase::decode, stats);
    };
    stop = true;
    seen->stall(4);
    for (int attempt = 0; attempt < 2; ++attempt) {
      try {
        step();
      } catch (const Stop&) {
        left = left || seen->n_open() > 0;
      }
    }
    stop = false;
    step();
    REQUIRE(std::memcmp(logits.data(), expected.data() + at * kVocab, kVocab * sizeof(float)) == 0);
  }
  CHECK(left);
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
