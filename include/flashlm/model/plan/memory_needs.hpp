// SPDX-License-Identifier: Apache-2.0
/// memory_needs.hpp: what a model asks of a memory budget, and how the budget would be split.
#pragma once

#include <cstddef>

#include "flashlm/model/graph/model.hpp"
#include "flashlm/model/plan/engine_options.hpp"
#include "flashlm/model/plan/memory_plan.hpp"
#include "flashlm/units/ffn/chosen_ffn.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// How single neurons are kept in `n_rows` rows.
units::ChosenFfnOptions chosen_options(const EngineOptions& options, std::size_t n_rows);

/// Bytes of the two activations that an engine holds itself: f32 [2, max_batch, dim].
std::size_t activation_bytes(const ModelSpec& spec, const EngineOptions& options);

/// What an engine of `model` needs with such `checked` options, computing on `n_threads` threads.
MemoryNeeds memory_needs(const Model& model, const EngineOptions& options, int n_threads);

/// The options with everything filled in that they leave to the model and to the system: an
/// automatic budget in bytes, and a context that was not asked for. Throws as `checked` does.
///
/// A budget holds weights and KV caches together. The caches of a context that nobody asked for
/// take at most half of what is left beside the least plan of a short one, since weights that they
/// displace are read again for every token. (A budget in bytes that somebody chose holds the whole
/// default context wherever that fits.)
EngineOptions complete(EngineOptions options, const Model& model);

/// The longest context up to the model's own whose KV caches take at most half of a budget, as in
/// `complete`; with a share of the weights, where caches come on top, half of the memory that the
/// system can spare. At least 256 positions, or the model's own. Throws as `checked` does.
std::size_t largest_context(const Model& model, EngineOptions options);

/// How an engine with such options would split its budget. Reads no weights.
///
/// Throws BudgetError and ArgumentError as the engine would.
MemoryPlan plan_memory(const Model& model, const EngineOptions& options);

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/plan/memory_needs.ipp"
#endif
