// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/step_meter.hpp"

#include <vector>

#include "support/catch.hpp"
#include "support/engine_runs.hpp"
#include "support/tiny_model.hpp"

using namespace flashlm;
using namespace flashlm::model;

TEST_CASE("a prompt and a decoded token are counted apart, and bytes in both") {
  const support::TinyModel tiny;
  const auto opened = Model::open(tiny.path());
  EngineOptions options;
  options.memory = {0, 0.6};
  options.context = 32;
  Engine engine(opened, options, support::memory_reader(*opened));
  KvCache kv = engine.add_session();
  Stats stats;
  const std::vector<Token> tokens{1, 7, 3};
  std::vector<float> logits(engine.spec().vocab_size);
  engine.forward(kv, 0, tokens, logits, Phase::prefill, stats);
  CHECK(stats.prefill_tokens == 3);
  CHECK((stats.tokens == 0 && stats.decode_bytes_read == 0 && stats.decode_seconds == 0));
  const std::uint64_t prompt = stats.bytes_read;
  CHECK(prompt > 0);
  engine.forward(kv, 3, std::vector<Token>{9}, logits, Phase::decode, stats);
  CHECK(stats.prefill_tokens == 3);
  CHECK(stats.tokens == 1);
  CHECK(stats.decode_bytes_read == stats.bytes_read - prompt);
  CHECK(stats.compute_seconds + stats.io_seconds + stats.memory_seconds ==
        Approx(stats.prefill_seconds + stats.decode_seconds));
  CHECK(stats.governor.looks > 0);
  engine.remove_session();
}
