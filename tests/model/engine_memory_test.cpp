// SPDX-License-Identifier: Apache-2.0
/// engine_memory_test.cpp: the budget of an engine, its least, and memory that goes back.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "flashlm/model/engine.hpp"
#include "support/catch.hpp"
#include "support/engine_runs.hpp"
#include "support/tiny_model.hpp"
#include "support/tokens.hpp"

// There in a program that a sanitizer watches, also where these tests are compiled without it.
extern "C" void __asan_init() __attribute__((weak));
extern "C" void __tsan_init() __attribute__((weak));

using namespace flashlm;
using namespace flashlm::model;
using support::options;
using support::run;
using support::same_bits;

namespace {

constexpr std::size_t kVocab = support::TinyShape::kVocabSize;

}  // namespace

TEST_CASE(
    "the smallest budget runs, with the same bits, and one byte less is refused with its size") {
  support::TinyShape shape;
  shape.tied = GENERATE(true, false);
  shape.dtype = GENERATE(DType::f32, DType::f16);
  const support::TinyModel tiny(shape);
  const std::vector<Token> tokens = support::random_tokens(12);
  Engine resident(Model::open(tiny.path()), options(1.0));
  const std::vector<float> expected = run(resident, tokens, 5);
  EngineOptions least = options(1.0);
  least.memory = {resident.memory_plan().smallest, std::nullopt};
  Engine engine(Model::open(tiny.path()), least);
  CHECK(engine.memory_plan().pinned == 0);
  CHECK(engine.memory_plan().total <= least.memory.bytes);
  CHECK(same_bits(run(engine, tokens, 5), expected));
  least.memory.bytes -= 1;
  CHECK_THROWS_AS(Engine(Model::open(tiny.path()), least), BudgetError);
}

TEST_CASE(
    "a budget in bytes makes room for further sessions out of pinned weights, and refuses when "
    "none is left") {
  const support::TinyModel tiny;
  const std::vector<Token> tokens = support::random_tokens(10);
  EngineOptions all = options(1.0);
  Engine measure(Model::open(tiny.path()), all);
  const std::vector<float> expected = run(measure, tokens, 1);
  all.memory = {measure.memory_plan().total, std::nullopt};
  Engine engine(Model::open(tiny.path()), all);
  CHECK(engine.memory_plan().stream == 0);
  std::vector<KvCache> sessions;
  const auto fill = [&] {
    for (int at = 0; at < 100; ++at) {
      sessions.push_back(engine.add_session());
      CHECK(engine.memory_plan().total <= all.memory.bytes);
    }
  };
  CHECK_THROWS_AS(fill(), BudgetError);
  REQUIRE(sessions.size() > 1);
  CHECK(engine.memory_plan().pinned < measure.memory_plan().pinned);
  Stats stats;
  std::vector<float> logits(kVocab);
  for (std::size_t at = 0; at < tokens.size(); ++at) {
    engine.forward(sessions.back(), at, std::span(tokens).subspan(at, 1), logits, Phase::decode,
                   stats);
    CHECK(std::memcmp(logits.data(), expected.data() + at * kVocab, kVocab * sizeof(float)) == 0);
  }
}

TEST_CASE("pinned weights go back when memory becomes short, down to nothing, and no bit changes") {
  const support::TinyModel tiny;
  const std::vector<Token> tokens = support::random_tokens(14);
  Engine resident(Model::open(tiny.path()), options(1.0));
  const std::vector<float> expected = run(resident, tokens, 1);
  EngineOptions governed = options(1.0);
  MemoryState state;
  governed.sensor = [&] { return state; };
  Engine engine(Model::open(tiny.path()), governed);
  KvCache kv = engine.add_session();
  Stats stats;
  std::vector<float> logits(kVocab);
  std::uint64_t before = engine.memory_plan().pinned;
  for (std::size_t at = 0; at < tokens.size(); ++at) {
    if (at >= 3) state.room = Governor::kLow - 1;
    engine.forward(kv, at, std::span(tokens).subspan(at, 1), logits, Phase::decode, stats);
    CHECK(std::memcmp(logits.data(), expected.data() + at * kVocab, kVocab * sizeof(float)) == 0);
    CHECK(engine.memory_plan().pinned <= before);
    before = engine.memory_plan().pinned;
    const double start = now_seconds();
    while (at == 3 && now_seconds() - start < 2 * Governor::kInterval) {
    }
  }
  CHECK(engine.memory_plan().pinned == 0);  // the model is smaller than what was wanted
  CHECK(stats.governor.shrinks == 1);
  CHECK(stats.governor.shrunk_bytes > 0);
  CHECK(stats.bytes_read > 0);
}

TEST_CASE("sessions that the plan holds from the start displace nothing when they come") {
  const support::TinyModel tiny;
  EngineOptions both = options(0.6);
  both.parallel = 3;
  Engine engine(Model::open(tiny.path()), both);
  const MemoryPlan before = engine.memory_plan();
  CHECK(before.sessions == 3);
  const KvCache one = engine.add_session(), two = engine.add_session(),
                three = engine.add_session();
  CHECK(engine.memory_plan().table() == before.table());
  const KvCache four = engine.add_session();
  CHECK(engine.memory_plan().sessions == 4);
}

TEST_CASE(
    "with an automatic budget a session more takes what is free, and then the place of weights") {
  const support::TinyModel tiny;
  constexpr std::uint64_t kReserve = std::uint64_t{64} << 20;
  std::uint64_t spare = std::uint64_t{1} << 30;
  EngineOptions automatic;
  automatic.n_threads = 1;
  automatic.max_batch = 8;
  automatic.sensor = [&] {
    const std::uint64_t room = kReserve + spare;
    return MemoryState{.room = room, .limit = {MemoryBound::group, 256u << 20, room}};
  };
  Engine engine(Model::open(tiny.path()), automatic);
  const KvCache one = engine.add_session(), two = engine.add_session();
  CHECK(engine.memory_plan().streamed() == 0);
  CHECK(engine.memory_plan().sessions == 2);
  spare = 0;
  const std::uint64_t total = engine.memory_plan().total;
  const KvCache three = engine.add_session();
  CHECK(engine.memory_plan().streamed() > 0);
  CHECK(engine.memory_plan().total <= total);
}

TEST_CASE("a limit that falls after opening with an automatic budget is met by giving back") {
  const support::TinyModel tiny;
  const std::vector<Token> tokens = support::random_tokens(8);
  Engine resident(Model::open(tiny.path()), options(1.0));
  const std::vector<float> expected = run(resident, tokens, 1);
  std::uint64_t room = std::uint64_t{2} << 30;
  EngineOptions automatic;
  automatic.n_threads = 1;
  automatic.sensor = [&] {
    return MemoryState{.room = room, .limit = {MemoryBound::group, std::uint64_t{2} << 30, room}};
  };
  Engine engine(Model::open(tiny.path()), automatic);
  REQUIRE(engine.memory_plan().streamed() == 0);
  KvCache kv = engine.add_session();
  room = Governor::kLow - 1;
  Stats stats;
  std::vector<float> logits(kVocab);
  for (std::size_t at = 0; at < tokens.size(); ++at) {
    engine.forward(kv, at, std::span(tokens).subspan(at, 1), logits, Phase::decode, stats);
    CHECK(std::memcmp(logits.data(), expected.data() + at * kVocab, kVocab * sizeof(float)) == 0);
  }
  CHECK(stats.governor.shrinks == 1);
  CHECK(engine.memory_plan().pinned == 0);
}

TEST_CASE("memory is locked on request, or the limit that forbids it is named") {
  const support::TinyModel tiny;
  EngineOptions locked = options(0.6);
  locked.lock_memory = true;
  try {
    Engine engine(Model::open(tiny.path()), locked);
    if (&__asan_init == nullptr &&
        &__tsan_init == nullptr) {  // under sanitizers mlock does nothing
      CHECK(flashlm::detail::process_status("VmLck:") >= engine.memory_plan().pinned);
    }
  } catch (const IoError& error) {
    CHECK_THAT(error.what(), Catch::Matchers::Contains("ulimit -l"));
  }
  CHECK_FALSE(MemoryLock::active());
}
