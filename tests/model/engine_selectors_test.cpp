// SPDX-License-Identifier: Apache-2.0
/// engine_selectors_test.cpp: what holds for every selector and every policy.
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "flashlm/model/engine.hpp"
#include "support/allocation_counter.hpp"
#include "support/catch.hpp"
#include "support/engine_runs.hpp"
#include "support/predictor_file.hpp"
#include "support/readers.hpp"
#include "support/thresholds_file.hpp"
#include "support/tiny_model.hpp"
#include "support/tokens.hpp"

using namespace flashlm;
using namespace flashlm::model;
using support::run;
using support::same_bits;

namespace {

constexpr std::size_t kVocab = support::TinyShape::kVocabSize;
const std::vector<std::string> kSelectors{"dense", "predictor", "gate", "threshold"};
const std::vector<std::string> kPolicies{"combined", "window", "lru", "frequency", "none"};

/// Those that a selector may have and that change no bit: without a choice of neurons there is
/// none.
std::vector<std::string> policies(const std::string& selector) {
  return selector == "dense" ? std::vector<std::string>{"auto"} : kPolicies;
}

/// A model for a selector: with silu for thresholds, else with relu; single neurons.
struct Chosen {
  explicit Chosen(const std::string& selector, DType dtype = DType::f16)
      : tiny(shape(selector, dtype)) {
    if (selector == "predictor") support::write_predictor(tiny.path(), {.threshold = 0.5f});
    if (selector == "threshold") support::write_thresholds(tiny.path(), 0.05f);
    model = Model::open(tiny.path(), selector);
  }

  static support::TinyShape shape(const std::string& selector, DType dtype) {
    support::TinyShape shape;
    shape.dim = 64;
    shape.head_dim = 16;
    shape.neurons_per_bundle = 1;
    shape.activation = selector == "threshold" ? "silu" : "relu";
    shape.dtype = dtype;
    return shape;
  }

  Engine open(EngineOptions options) const {
    return Engine(model, options, support::memory_reader(*model));
  }

  support::TinyModel tiny;
  std::shared_ptr<const Model> model;
};

EngineOptions options(double share, const std::string& policy = "auto", int n_threads = 1) {
  EngineOptions options;
  options.memory = {0, share};
  options.n_threads = n_threads;
  options.max_batch = 8;
  options.policy = policy;
  if (policy == "window") options.window = 3;
  return options;
}

}  // namespace

TEST_CASE(
    "every selector has the same bits for every policy, budget, reader, thread count and cut") {
  const std::vector<Token> tokens = support::random_tokens(13);
  for (const std::string& selector : kSelectors) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
      const Chosen chosen(selector, dtype);
      Engine whole = chosen.open(options(1.0));
      const std::vector<float> expected = run(whole, tokens, 8);
      for (const std::string& policy : policies(selector)) {
        for (const double share : {0.75, 1.2}) {
          CAPTURE(selector, name(dtype), policy, share);
          Engine engine = chosen.open(options(share, policy, policy == "lru" ? 3 : 1));
          CHECK(engine.memory_plan().total <= engine.memory_plan().budget);
          for (const std::size_t batch : {1u, 5u})
            REQUIRE(same_bits(run(engine, tokens, batch), expected));
        }
      }
      for (const std::string reader : {"threads", "uring"}) {
        if (reader == "uring" && !support::uring_allowed()) continue;
        EngineOptions through = options(0.8, "auto", 2);
        through.reader = reader;
        Engine engine(chosen.model, through);
        REQUIRE(same_bits(run(engine, tokens, 3), expected));
      }
    }
  }
}

TEST_CASE(
    "with every selector and policy the bytes read are those that entered, and gaps, and a step "
    "allocates nothing") {
  const std::vector<Token> tokens = support::random_tokens(24);
  for (const std::string& selector : kSelectors) {
    if (selector == "dense") continue;  // engine_test.cpp
    const Chosen chosen(selector);
    const std::size_t stride = chosen.model->bundles().layout(0).stride;
    std::vector<std::string> all = policies(selector);
    all.push_back("paper");  // which promises this too
    for (const std::string& policy : all) {
      CAPTURE(selector, policy);
      Engine engine = chosen.open(options(0.8, policy));
      REQUIRE(engine.memory_plan().streamed() == 0);
      KvCache kv = engine.add_session();
      Stats stats;
      std::vector<float> logits(kVocab);
      std::size_t before = 0;
      for (std::size_t at = 0; at < tokens.size(); ++at) {
        if (at == 6) before = support::allocation_count();
        engine.forward(kv, at, std::span(tokens).subspan(at, 1), logits, Phase::decode, stats);
      }
      CHECK(support::allocation_count() == before);
      CHECK(stats.hits + stats.misses == stats.selected);
      CHECK(stats.misses > 0);
      CHECK(stats.bytes_read == stats.misses * stride + stats.gap_bytes);
      if (policy == "none") CHECK(stats.hits == 0);
    }
  }
}

TEST_CASE(
    "with every selector and policy a read that fails changes nothing, and the next step works") {
  const std::vector<Token> tokens = support::random_tokens(16);
  for (const std::string& selector : kSelectors) {
    const Chosen chosen(selector);
    Engine whole = chosen.open(options(1.0));
    const std::vector<float> expected = run(whole, tokens, 8);
    for (const std::string& policy : policies(selector)) {
      CAPTURE(selector, policy);
      auto reader = support::memory_reader(*chosen.model);
      storage::MemoryReader* device = reader.get();
      Engine engine(chosen.model, options(0.75, policy), std::move(reader));
      KvCache kv = engine.add_session();
      Stats stats;
      std::vector<float> logits(kVocab);
      std::size_t failures = 0;
      for (std::size_t at = 0; at < tokens.size(); ++at) {
        device->fail_at(at % 4, EIO);
        for (int attempt = 0; attempt < 3; ++attempt) {
          try {
            engine.forward(kv, at, std::span(tokens).subspan(at, 1), logits, Phase::decode, stats);
            break;
          } catch (const IoError& error) {
            ++failures;
            CHECK(error.code() == EIO);
          }
        }
        REQUIRE(std::memcmp(logits.data(), expected.data() + at * kVocab, kVocab * sizeof(float)) ==
                0);
      }
      CHECK(failures > 0);
    }
  }
}
