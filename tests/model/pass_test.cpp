// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/pass.hpp"

#include <vector>

#include "flashlm/model/budget_keeper.hpp"
#include "flashlm/model/plan/memory_needs.hpp"
#include "support/catch.hpp"
#include "support/engine_runs.hpp"
#include "support/tiny_model.hpp"

using namespace flashlm;
using namespace flashlm::model;

TEST_CASE("a pass gives an engine's logits, and a stopped one begins anew") {
  const support::TinyModel tiny;
  const auto opened = Model::open(tiny.path());
  int calls = 0;
  EngineOptions options;
  options.memory = {0, 0.6};
  options.context = 32;
  options.max_batch = 8;
  options.n_threads = 1;
  Engine engine(opened, options);
  const std::vector<Token> tokens{1, 7, 3, 250};
  const std::vector<float> expected = support::run(engine, tokens, 4);

  options.on_wait = [&] {
    if (++calls == 1) throw Error("stop");
  };
  options = complete(std::move(options), *opened);
  const auto reader = support::memory_reader(*opened);
  Parallel parallel(1);
  const BudgetKeeper budget(*opened, options, 1);
  Pass pass(*opened, options, budget.plan(), *reader, parallel);
  pass.load({});
  CHECK_FALSE(pass.is_selective());
  KvCache kv(opened->spec(), options.context, opened->kv_dtype());
  std::vector<float> logits(expected.size());
  Stats stats;
  CHECK_THROWS_AS(pass.run(kv, 0, tokens, logits, stats), Error);
  pass.run(kv, 0, tokens, logits, stats);
  CHECK(support::same_bits(logits, expected));
  CHECK(stats.hits + stats.misses > 0);
}
