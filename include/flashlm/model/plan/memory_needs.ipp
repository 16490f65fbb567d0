// SPDX-License-Identifier: Apache-2.0
/// memory_needs.ipp: the bodies of memory_needs.hpp.
#pragma once

#include "flashlm/model/plan/memory_needs.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/base/memory/memory_sensor.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/model/kv/kv_cache.hpp"
#include "flashlm/model/parts/dense_ffn.hpp"
#include "flashlm/model/parts/embedding.hpp"
#include "flashlm/model/parts/layer.hpp"
#include "flashlm/model/parts/product.hpp"
#include "flashlm/units/ffn/selective_ffn.hpp"
#include "flashlm/units/ffn/streamed_ffn.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE units::ChosenFfnOptions chosen_options(const EngineOptions& options,
                                                      std::size_t n_rows) {
  units::ChosenFfnOptions chosen;
  chosen.max_tokens = options.max_batch;
  chosen.n_rows = n_rows;
  chosen.eviction = units::make_eviction(options.policy, options.window);
  chosen.reads = options.neuron_reads;
  return chosen;
}

FLASHLM_INLINE std::size_t activation_bytes(const ModelSpec& spec, const EngineOptions& options) {
  return 2 * options.max_batch * spec.dim * sizeof(float);
}

namespace detail {

/// How a plan calls what passes by.
inline WeightKind weight_kind(TensorKind kind) {
  switch (kind) {
    case TensorKind::matrix: return WeightKind::attention;
    case TensorKind::neurons: return WeightKind::neurons;
    case TensorKind::head: return WeightKind::head;
    case TensorKind::rows: return WeightKind::embedding;
    case TensorKind::vector:
    case TensorKind::table: break;  // they have no segment
  }
  FLASHLM_ASSERT(false && "always in DRAM");
  return WeightKind::attention;
}

}  // namespace detail

FLASHLM_INLINE MemoryNeeds memory_needs(const Model& model, const EngineOptions& options,
                                        int n_threads) {
  constexpr std::size_t kLeastRowsShare =
      16;  // rows for a part of a layer: fewer reads at once are slow
  const ModelSpec& spec = model.spec();
  MemoryNeeds needs;
  needs.segments = model.segments();
  needs.n_passed = model.n_passed();
  needs.kinds.resize(needs.segments.size());
  for (const GraphTensor& tensor : model.tensors()) {
    if (tensor.segment) needs.kinds[*tensor.segment] = detail::weight_kind(tensor.kind);
  }
  if (const units::SelectorChoice& selector = model.selector();
      selector.kind != units::SelectorKind::dense) {
    for (const std::size_t segment : model.neuron_segments()) {
      needs.window.neurons += needs.segments[segment].bytes();
      needs.window.most_rows += needs.segments[segment].n_units;
      needs.segments[segment].n_units = 0;
    }
    const units::ChosenFfnOptions chosen = chosen_options(options, 0);
    needs.window.selector = selector.bytes;
    needs.window.working_set = selector.working_set;
    needs.window.row_bytes = units::SelectiveFfn::row_bytes(model.bundles(), chosen.eviction);
    needs.window.least_rows = std::max(spec.ffn().hidden / kLeastRowsShare + 1, spec.n_layers());
    needs.scratch += units::SelectiveFfn::bytes(model.bundles(), chosen) +
                     selector.scratch_bytes(options.max_batch, n_threads);
  }
  needs.resident = model.weights().bytes();
  needs.kv =
      KvCache::bytes(spec, options.context, model.kv_dtype()) + spec.vocab_size * sizeof(float);
  needs.scratch += activation_bytes(spec, options) + Embedding::bytes(model.weights().embedding()) +
                   (model.bundled() ? units::StreamedFfn::bytes(model.bundles(), options.max_batch)
                                    : DenseFfn::bytes(spec, options.max_batch)) +
                   Product::bytes(options.max_batch, model.tile_cols()) +
                   Layer::bytes(spec, options.max_batch, options.context);
  needs.context = options.context;
  needs.limit = options.limit;
  return needs;
}

namespace detail {

/// The budgets that contexts of one model need at least: all but KV caches and scratch is the same
/// for each.
class LeastBudgets {
 public:
  LeastBudgets(const Model& model, const EngineOptions& options)
      : model_(model), options_(options), n_threads_(Parallel::count(options.n_threads)) {
    const MemoryPlan any =
        MemoryPlan::resolve(needs(1), {.bytes = MemoryLimit::kUnlimited}, options.parallel);
    weights_ = any.smallest - any.kv - any.scratch;
  }

  std::uint64_t of(std::size_t context) const {
    const MemoryNeeds given = needs(context);
    return weights_ + given.kv * options_.parallel + given.scratch;
  }

  /// The longest context up to `most` that `budget` holds, in steps, but no less than a short one.
  std::size_t longest(std::size_t most, std::uint64_t budget) const {
    constexpr std::size_t kStep = 64;
    if (most <= kShortest || of(most) <= budget) return most;
    std::size_t fits = kShortest / kStep, beyond = (most + kStep - 1) / kStep;
    while (beyond - fits > 1) {
      const std::size_t middle = fits + (beyond - fits) / 2;
      (of(middle * kStep) <= budget ? fits : beyond) = middle;
    }
    return fits * kStep;
  }

  /// The least budget of a short context, and half of what `budget` has beyond it.
  std::uint64_t half(std::size_t most, std::uint64_t budget) const {
    const std::uint64_t least = of(std::min(most, kShortest));
    return least + (budget - std::min(budget, least)) / 2;
  }

 private:
  static constexpr std::size_t kShortest = 256;

  MemoryNeeds needs(std::size_t context) const {
    EngineOptions options = options_;
    options.context = context;
    options.max_batch = std::min(options.max_batch, context);
    return memory_needs(model_, options, n_threads_);
  }

  const Model& model_;
  const EngineOptions& options_;
  int n_threads_;
  std::uint64_t weights_ = 0;
};

/// Asks the system how much an automatic budget is.
inline void look_at_memory(EngineOptions& options) {
  if (!options.sensor) options.sensor = [sensor = MemorySensor()] { return sensor.read(); };
  if (!options.memory.automatic) return;
  options.limit = options.sensor().limit;
  options.memory.bytes = options.limit.spare();
}

}  // namespace detail

FLASHLM_INLINE EngineOptions complete(EngineOptions options, const Model& model) {
  const bool chooses_context = options.context == 0;
  options = checked(std::move(options), model.spec(), model.selector().kind);
  detail::look_at_memory(options);
  if (!chooses_context || options.memory.share) return options;
  const detail::LeastBudgets budgets(model, options);
  const std::uint64_t bytes = options.memory.bytes;
  if (options.memory.automatic || budgets.of(options.context) > bytes) {
    options.context = budgets.longest(options.context, budgets.half(options.context, bytes));
    options.max_batch = std::min(options.max_batch, options.context);
  }
  return options;
}

FLASHLM_INLINE std::size_t largest_context(const Model& model, EngineOptions options) {
  options.context = model.spec().max_context;
  options = checked(std::move(options), model.spec(), model.selector().kind);
  detail::look_at_memory(options);
  const detail::LeastBudgets budgets(model, options);
  if (!options.memory.share) {
    return budgets.longest(options.context, budgets.half(options.context, options.memory.bytes));
  }
  return budgets.longest(options.context, budgets.of(1) + options.sensor().limit.spare() / 2);
}

FLASHLM_INLINE MemoryPlan plan_memory(const Model& model, const EngineOptions& options) {
  const EngineOptions all = complete(options, model);
  return MemoryPlan::resolve(memory_needs(model, all, Parallel::count(all.n_threads)), all.memory,
                             all.parallel);
}

}  // namespace flashlm::inline FLASHLM_ABI::model
