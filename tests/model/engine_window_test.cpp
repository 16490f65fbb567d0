// SPDX-License-Identifier: Apache-2.0
/// engine_window_test.cpp: an engine whose selector chooses single neurons
/// (units/ffn/windowed_ffn.hpp).
#include <cerrno>
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
#include "support/windowed_engine.hpp"

using namespace flashlm;
using namespace flashlm::model;
using support::memory_reader;
using support::options;
using support::run;
using support::same_bits;
using namespace support::windowed;

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
