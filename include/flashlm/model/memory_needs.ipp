// SPDX-License-Identifier: Apache-2.0
/// memory_needs.ipp: the bodies of memory_needs.hpp.
#pragma once

#include "flashlm/model/memory_needs.hpp"

#include <algorithm>

#include "flashlm/base/parallel.hpp"
#include "flashlm/model/embedding.hpp"
#include "flashlm/model/kv_cache.hpp"
#include "flashlm/model/layer.hpp"
#include "flashlm/model/product.hpp"
#include "flashlm/sparse/selective_ffn.hpp"
#include "flashlm/sparse/streamed_ffn.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE sparse::WindowedFfnOptions windowed_options(const EngineOptions& options, std::size_t n_rows) {
  sparse::WindowedFfnOptions windowed;
  windowed.max_tokens = options.max_batch;
  windowed.n_rows = n_rows;
  windowed.eviction = sparse::make_eviction(options.policy, options.window);
  windowed.reads = options.neuron_reads;
  return windowed;
}

FLASHLM_INLINE std::size_t activation_bytes(const ModelConfig& config, const EngineOptions& options) {
  return 2 * options.max_batch * config.dim * sizeof(float);
}

FLASHLM_INLINE MemoryNeeds memory_needs(const Model& model, const EngineOptions& options, int n_threads) {
  constexpr std::size_t kLeastRowsShare = 16;  // rows for a part of a layer: fewer reads at once are slow
  const ModelConfig& config = model.config();
  MemoryNeeds needs;
  needs.segments = model.segments();
  needs.n_passed = model.n_passed();
  for (std::size_t index = 0; index < needs.segments.size(); ++index) {
    const bool in_layer = index + 1 < needs.n_passed;
    const bool neurons = index % Weights::kPerLayer == Weights::kNeurons;
    needs.kinds.push_back(in_layer                 ? neurons ? WeightKind::neurons : WeightKind::attention
                          : index < needs.n_passed ? WeightKind::head
                                                   : WeightKind::embedding);
  }
  if (const sparse::SelectorChoice& selector = model.selector(); selector.name != sparse::DenseSelector::kName) {
    for (const std::size_t segment : model.neuron_segments()) {
      needs.window.neurons += needs.segments[segment].bytes();
      needs.window.most_rows += needs.segments[segment].n_units;
      needs.segments[segment].n_units = 0;
    }
    const sparse::WindowedFfnOptions windowed = windowed_options(options, 0);
    needs.window.selector = selector.bytes;
    needs.window.working_set = selector.working_set;
    needs.window.row_bytes = sparse::SelectiveFfn::row_bytes(model.bundles(), windowed.eviction);
    needs.window.least_rows = std::max(config.hidden_dim / kLeastRowsShare + 1, config.n_layers);
    needs.scratch +=
        sparse::SelectiveFfn::bytes(model.bundles(), windowed) + selector.scratch_bytes(options.max_batch, n_threads);
  }
  needs.resident = model.weights().bytes();
  needs.kv = KvCache::bytes(config, options.context, model.kv_dtype()) + config.vocab_size * sizeof(float);
  needs.scratch += activation_bytes(config, options) + Embedding::bytes(model.weights().embedding()) +
                   sparse::StreamedFfn::bytes(model.bundles(), options.max_batch) +
                   Product::bytes(options.max_batch, model.tile_cols()) +
                   Layer::bytes(config, options.max_batch, options.context);
  needs.context = options.context;
  return needs;
}

FLASHLM_INLINE MemoryPlan plan_memory(const Model& model, const EngineOptions& options) {
  const EngineOptions complete = checked(options, model.config(), model.selector().name);
  const int n_threads = Parallel(complete.n_threads).n_threads();
  return MemoryPlan::resolve(memory_needs(model, complete, n_threads), complete.memory);
}

}  // namespace flashlm::inline FLASHLM_ABI::model
