// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/engine.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/allocation_counter.hpp"
#include "support/catch.hpp"
#include "support/engine_runs.hpp"
#include "support/readers.hpp"
#include "support/reference_model.hpp"
#include "support/tiny_model.hpp"
#include "support/tokens.hpp"

using namespace flashlm;
using namespace flashlm::model;
using support::options;
using support::run;
using support::same_bits;

namespace {

constexpr std::size_t kVocab = support::TinyShape::kVocabSize;

/// A reader of the model's files in memory, and a look at it after the engine has taken it.
std::pair<std::unique_ptr<storage::Reader>, storage::MemoryReader*> watched_reader(
    const Model& model) {
  auto reader = support::memory_reader(model);
  storage::MemoryReader* seen = reader.get();
  return {std::move(reader), seen};
}

}  // namespace

TEST_CASE("logits equal the plain loops in double") {
  support::TinyShape shape = GENERATE(from_range(support::tiny_graphs()));
  shape.tied = GENERATE(true, false);
  INFO(shape.family << ' ' << shape.activation << ' ' << name(shape.dtype));
  const support::TinyModel tiny(shape);
  Engine engine(Model::open(tiny.path()), options(0.6, 2));
  const std::vector<Token> tokens = support::random_tokens(30);
  const std::vector<float> got = run(engine, tokens, 8);
  const std::vector<support::Row> expected = support::reference_logits(shape, tiny.weights, tokens);
  // A key that lies between two f16 numbers may be rounded to either, and so may, of a quantised
  // model, an activation between two steps, which is much: later tokens see it too. The first
  // tokens do not meet one.
  const double margin = shape.dtype == DType::f32 ? 2e-5 : is_block(shape.dtype) ? 0.5 : 2e-3;
  double first = 0, largest = 0;
  for (std::size_t at = 0; at < got.size(); ++at) {
    largest = std::max(largest, std::abs(got[at] - expected[at / kVocab][at % kVocab]));
    if (at < 5 * kVocab) first = largest;
  }
  CHECK(first < (is_block(shape.dtype) ? 4e-5 : margin));
  CHECK(largest < margin);
}

TEST_CASE(
    "logits have the same bits for every budget, thread count, reader and cut of the prompt") {
  auto shape = support::TinyShape::of(
      GENERATE(DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0),
      GENERATE(support::TinyShape(), support::TinyShape::opt()));
  shape.tied = GENERATE(true, false);
  const support::TinyModel tiny(shape);
  const std::vector<Token> tokens = support::random_tokens(25);
  Engine resident(Model::open(tiny.path()), options(1.0));
  const std::vector<float> expected = run(resident, tokens, 1);
  CHECK(resident.memory_plan().stream == 0);
  for (const double share : {0.3, 0.6, 0.9, 1.0}) {
    for (const int n_threads : {1, 3}) {
      auto opened = Model::open(tiny.path());
      auto [reader, seen] = watched_reader(*opened);
      std::vector<std::unique_ptr<Engine>> engines;
      engines.push_back(
          std::make_unique<Engine>(opened, options(share, n_threads), std::move(reader)));
      for (const char* name : {"threads", "uring"}) {
        if (name == std::string("uring") && !support::uring_allowed()) continue;
        EngineOptions named = options(share, n_threads);
        named.reader = name;
        engines.push_back(std::make_unique<Engine>(opened, named));
        CHECK(engines.back()->reader_name() == name);
      }
      for (const auto& engine : engines) {
        for (const std::size_t batch : {1, 3, 8}) {
          CHECK(same_bits(run(*engine, tokens, batch), expected));
        }
        CHECK(same_bits(run(*engine, tokens, {1, 9, 10, 17, 25}), expected));
      }
    }
  }
}

TEST_CASE("a pass reads exactly the weights that are not pinned, and counts hits and misses") {
  const support::TinyModel tiny;
  auto opened = Model::open(tiny.path());
  auto [reader, seen] = watched_reader(*opened);
  Engine engine(opened, options(0.6), std::move(reader));
  const MemoryPlan& plan = engine.memory_plan();
  REQUIRE(plan.pinned > 0);
  REQUIRE(plan.streamed() > 0);
  CHECK(seen->stats().bytes_read == plan.weights - plan.resident - plan.streamed());
  const std::uint64_t loaded = seen->stats().bytes_read;

  KvCache kv = engine.add_session();
  std::vector<float> logits(kVocab);
  const std::vector<Token> tokens = support::random_tokens(10);
  Stats first, rest;
  engine.forward(kv, 0, std::span(tokens).first(1), logits, Phase::decode, first);
  for (std::size_t at = 1; at < tokens.size(); ++at) {
    engine.forward(kv, at, std::span(tokens).subspan(at, 1), logits, Phase::decode, rest);
  }
  const std::uint64_t row =
      24 * sizeof(float);  // of the embedding, read by token where it is not pinned
  CHECK(rest.tokens == 9);
  CHECK(rest.bytes_read >= 9 * plan.streamed());
  CHECK(rest.bytes_read <= 9 * (plan.streamed() + row));
  CHECK((rest.bytes_read - 9 * plan.streamed()) % row == 0);
  CHECK(rest.gap_bytes == 0);
  CHECK(first.bytes_read >= plan.streamed());  // and what was read ahead
  CHECK(first.bytes_read <= plan.streamed() + row + plan.ring.bytes());
  CHECK(seen->stats().bytes_read == loaded + first.bytes_read + rest.bytes_read);
  CHECK(rest.hits + rest.misses == 9 * 3 * 150);
  CHECK(rest.hits > 0);
  CHECK(rest.misses > 0);
}

TEST_CASE("passes without logits do not read the head") {
  const support::TinyModel tiny;
  auto opened = Model::open(tiny.path());
  auto [reader, seen] = watched_reader(*opened);
  EngineOptions least = options(1.0);
  least.memory = {Engine(opened, least).memory_plan().smallest, std::nullopt};
  Engine engine(opened, least, std::move(reader));
  KvCache kv = engine.add_session();
  const std::vector<Token> tokens = support::random_tokens(16);
  Stats before, without;
  engine.forward(kv, 0, std::span(tokens).first(8), {}, Phase::prefill, before);
  engine.forward(kv, 8, std::span(tokens).subspan(8), {}, Phase::prefill, without);
  const MemoryPlan& plan = engine.memory_plan();
  CHECK(without.bytes_read <=
        plan.streamed() - plan.share(WeightKind::head).bytes + 8 * 24 * sizeof(float));
}

TEST_CASE("a step allocates nothing") {
  const support::TinyModel tiny(GENERATE(support::TinyShape(), support::TinyShape::opt()));
  const int n_threads = GENERATE(1, 2);
  Engine engine(Model::open(tiny.path()), options(0.6, n_threads));
  KvCache kv = engine.add_session();
  Stats stats;
  std::vector<float> logits(kVocab);
  const std::vector<Token> tokens = support::random_tokens(40);
  engine.forward(kv, 0, std::span(tokens).first(8), logits, Phase::prefill, stats);
  const std::size_t before = support::allocation_count();
  for (std::size_t at = 8; at < 32; ++at) {
    engine.forward(kv, at, std::span(tokens).subspan(at, 1), logits, Phase::decode, stats);
  }
  engine.forward(kv, 32, std::span(tokens).subspan(32, 8), logits, Phase::prefill, stats);
  CHECK(support::allocation_count() == before);
}

TEST_CASE("a read that fails anywhere in a step leaves the session as it was") {
  const support::TinyModel tiny;
  const std::vector<Token> tokens = support::random_tokens(12);
  Engine resident(Model::open(tiny.path()), options(1.0));
  const std::vector<float> expected = run(resident, tokens, 1);

  auto opened = Model::open(tiny.path());
  auto [reader, seen] = watched_reader(*opened);
  Engine engine(opened, options(0.55), std::move(reader));
  KvCache kv = engine.add_session();
  Stats stats;
  std::vector<float> logits(kVocab);
  for (std::size_t at = 0; at < tokens.size(); ++at) {
    seen->fail_at(at % 7, EIO);
    const auto step = [&] {
      engine.forward(kv, at, std::span(tokens).subspan(at, 1), logits, Phase::decode, stats);
    };
    for (int attempt = 0; attempt < 3;
         ++attempt) {  // the failing read may be one that was read ahead
      try {
        step();
        break;
      } catch (const IoError& error) {
        CHECK(error.code() == EIO);
      }
    }
    CHECK(std::memcmp(logits.data(), expected.data() + at * kVocab, kVocab * sizeof(float)) == 0);
  }
}

TEST_CASE("several sessions of one engine do not disturb each other") {
  const support::TinyModel tiny;
  Engine engine(Model::open(tiny.path()), options(0.6, 2));
  const std::vector<Token> one = support::random_tokens(20, 1), two = support::random_tokens(20, 2);
  const std::vector<float> expected_one = run(engine, one, 1);
  const std::vector<float> expected_two = run(engine, two, 1);
  KvCache kv_one = engine.add_session(), kv_two = engine.add_session();
  Stats stats;
  std::vector<float> logits(kVocab);
  for (std::size_t at = 0; at < 20; ++at) {
    engine.forward(kv_one, at, std::span(one).subspan(at, 1), logits, Phase::decode, stats);
    CHECK(std::memcmp(logits.data(), expected_one.data() + at * kVocab, kVocab * sizeof(float)) ==
          0);
    engine.forward(kv_two, at, std::span(two).subspan(at, 1), logits, Phase::decode, stats);
    CHECK(std::memcmp(logits.data(), expected_two.data() + at * kVocab, kVocab * sizeof(float)) ==
          0);
  }
}

TEST_CASE("an observer sees the input and the activations of every layer, and changes nothing") {
  const support::TinyModel tiny;
  Engine engine(Model::open(tiny.path()), options(0.6, 2));
  const std::vector<Token> tokens = support::random_tokens(11);
  const std::vector<float> expected = run(engine, tokens, 4);
  std::vector<std::size_t> seen_tokens(3);
  double largest_error = 0;
  engine.observe([&](std::size_t layer, std::size_t n_tokens, std::span<const float> x,
                     std::span<const float> h) {
    REQUIRE(x.size() == n_tokens * 24);
    REQUIRE(h.size() == n_tokens * 150);
    seen_tokens[layer] += n_tokens;
    const auto dot = [&](const char* matrix, std::size_t neuron, std::size_t token) {
      const support::Matrix& rows = tiny.weights.at(concat("layers.", layer, ".", matrix));
      double sum = 0;
      for (std::size_t k = 0; k < 24; ++k)
        sum += double{rows.at(neuron, k)} * double{x[token * 24 + k]};
      return sum;
    };
    for (std::size_t token = 0; token < n_tokens; ++token) {
      for (std::size_t neuron = 0; neuron < 150; ++neuron) {
        const double gate = dot("gate", neuron, token);
        const double plain = gate / (1 + std::exp(-gate)) * dot("up", neuron, token);
        largest_error = std::max(largest_error, std::abs(plain - double{h[token * 150 + neuron]}));
      }
    }
  });
  CHECK(same_bits(run(engine, tokens, 4), expected));
  CHECK(seen_tokens == std::vector<std::size_t>{11, 11, 11});
  CHECK(largest_error < 1e-5);
  engine.observe(
      [](std::size_t layer, std::size_t, std::span<const float>, std::span<const float>) {
        if (layer == 1) throw std::runtime_error("enough");
      });
  KvCache kv = engine.add_session();
  Stats stats;
  std::vector<float> logits(kVocab);
  const auto step = [&] {
    engine.forward(kv, 0, std::span(tokens).first(1), logits, Phase::decode, stats);
  };
  CHECK_THROWS_AS(step(), std::runtime_error);
  engine.observe({});
  CHECK(same_bits(run(engine, tokens, 4), expected));
  CHECK(seen_tokens == std::vector<std::size_t>{11, 11, 11});
}

TEST_CASE("bad sizes, tokens and options are errors of the documented type") {
  const support::TinyModel tiny;
  auto opened = Model::open(tiny.path());
  Engine engine(opened, options(1.0));
  KvCache kv = engine.add_session();
  Stats stats;
  std::vector<float> logits(kVocab);
  const std::vector<Token> tokens = support::random_tokens(9);
  const auto forward = [&](std::size_t first, std::vector<Token> some, std::size_t n_logits) {
    engine.forward(kv, first, some, std::span(logits).first(n_logits), Phase::prefill, stats);
  };
  CHECK_THROWS_AS(forward(0, {}, 0), ShapeError);
  CHECK_THROWS_AS(forward(0, tokens, kVocab), ShapeError);  // more than max_batch
  CHECK_THROWS_AS(forward(96, {1}, kVocab), ShapeError);    // beyond the context
  CHECK_THROWS_AS(forward(0, {1}, kVocab - 1), ShapeError);
  CHECK_THROWS_AS(forward(0, {-1}, kVocab), ArgumentError);
  CHECK_THROWS_AS(forward(0, {257}, kVocab), ArgumentError);
  CHECK(stats.prefill_tokens == 0);

  EngineOptions wrong = options(1.0);
  wrong.context = 97;
  CHECK_THROWS_AS(Engine(opened, wrong), ArgumentError);
  wrong = options(1.0);
  wrong.max_batch = 0;
  CHECK_THROWS_AS(Engine(opened, wrong), ArgumentError);
  wrong = options(1.0);
  wrong.reader = "tape";
  CHECK_THROWS_AS(Engine(opened, wrong), ArgumentError);
  wrong = options(1.0);
  wrong.memory = {1000, std::nullopt};
  CHECK_THROWS_AS(Engine(opened, wrong), BudgetError);
}

TEST_CASE("a step can be stopped between layers and while a device stalls, and tried again") {
  const support::TinyModel tiny;
  const std::vector<Token> tokens = support::random_tokens(6);
  Engine resident(Model::open(tiny.path()), options(1.0));
  const std::vector<float> expected = run(resident, tokens, 1);
  struct Stop {};
  bool stop = false;
  std::vector<storage::Stall> stalls;
  EngineOptions watched = options(0.5);
  watched.on_wait = [&] {
    if (stop) throw Stop();
  };
  watched.on_stall = [&](const storage::Stall& stall) { stalls.push_back(stall); };
  watched.stall_seconds = 3;
  auto opened = Model::open(tiny.path());
  auto [reader, seen] = watched_reader(*opened);
  Engine engine(opened, watched, std::move(reader));
  KvCache kv = engine.add_session();
  Stats stats;
  std::vector<float> logits(kVocab);
  const auto step = [&](std::size_t at) {
    engine.forward(kv, at, std::span(tokens).subspan(at, 1), logits, Phase::decode, stats);
  };
  for (std::size_t at = 0; at < tokens.size(); ++at) {
    stop = true;
    seen->stall(4);
    CHECK_THROWS_AS(step(at), Stop);
    stop = false;
    seen->stall(4);
    step(at);
    CHECK(std::memcmp(logits.data(), expected.data() + at * kVocab, kVocab * sizeof(float)) == 0);
  }
  CHECK(stalls.size() == tokens.size());
  CHECK(stats.tokens == tokens.size());
}
