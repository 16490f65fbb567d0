// SPDX-License-Identifier: Apache-2.0
/// engine_runs.hpp: options of an engine, a text through one, and readers of a model's files in
/// memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "flashlm/model/engine.hpp"
#include "flashlm/storage/readers/memory_reader.hpp"
#include "support/bundle_fixture.hpp"
#include "support/same_bits.hpp"

namespace support {

/// Options of an engine that takes a share of the model.
inline flashlm::model::EngineOptions options(double share, int n_threads = 1,
                                             std::size_t max_batch = 8) {
  flashlm::model::EngineOptions options;
  options.memory = {0, share};
  options.n_threads = n_threads;
  options.max_batch = max_batch;
  return options;
}

/// The logits after every token, computed in a session of its own, in batches that end at `cuts`.
inline std::vector<float> run(flashlm::model::Engine& engine,
                              std::span<const flashlm::Token> tokens,
                              const std::vector<std::size_t>& cuts) {
  flashlm::model::KvCache kv = engine.add_session();
  flashlm::Stats stats;
  const std::size_t vocab_size = engine.spec().vocab_size;
  std::vector<float> logits(tokens.size() * vocab_size);
  std::size_t first = 0;
  for (const std::size_t end : cuts) {
    engine.forward(kv, first, tokens.subspan(first, end - first),
                   std::span(logits).subspan(first * vocab_size, (end - first) * vocab_size),
                   flashlm::model::Phase::prefill, stats);
    first = end;
  }
  engine.remove_session();
  return logits;
}

/// The same in batches of `batch` tokens.
inline std::vector<float> run(flashlm::model::Engine& engine,
                              std::span<const flashlm::Token> tokens, std::size_t batch) {
  std::vector<std::size_t> cuts;
  for (std::size_t at = 0; at < tokens.size();)
    cuts.push_back(at = std::min(tokens.size(), at + batch));
  return run(engine, tokens, cuts);
}

/// A reader of the model's files in memory.
inline std::unique_ptr<flashlm::storage::MemoryReader> memory_reader(
    const flashlm::model::Model& model) {
  return std::make_unique<flashlm::storage::MemoryReader>(file_contents(model.bundles()));
}

}  // namespace support
