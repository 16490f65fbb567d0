// SPDX-License-Identifier: Apache-2.0
/// reference_engine.cpp: flashlm of headers alone, with the backend of tests (FLASHLM_REFERENCE).
///
/// Includes no other header of tests: an inline function there may have one name in both backends,
/// and a program one of the two.
#include "support/reference_engine.hpp"

#include <algorithm>

#include "flashlm/model/engine.hpp"

#if !defined(FLASHLM_REFERENCE)
#error "This file is the one that is compiled with the reference."
#endif

namespace support {

std::vector<float> reference_engine(const std::filesystem::path& folder,
                                    std::span<const std::int32_t> tokens, const ReferenceRun& run) {
  using namespace flashlm::model;
  EngineOptions options;
  options.memory = {0, run.share};
  options.n_threads = 1;
  options.max_batch = run.batch;
  options.policy = run.policy;
  Engine engine(Model::open(folder, run.selector), options);
  KvCache kv = engine.add_session();
  flashlm::Stats stats;
  const std::size_t vocab_size = engine.spec().vocab_size;
  std::vector<float> logits(tokens.size() * vocab_size);
  for (std::size_t first = 0; first < tokens.size(); first += run.batch) {
    const std::size_t n = std::min(run.batch, tokens.size() - first);
    engine.forward(kv, first, tokens.subspan(first, n),
                   std::span(logits).subspan(first * vocab_size, n * vocab_size), Phase::prefill,
                   stats);
  }
  return logits;
}

}  // namespace support
