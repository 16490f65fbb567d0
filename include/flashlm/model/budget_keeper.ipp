// SPDX-License-Identifier: Apache-2.0
/// budget_keeper.ipp: the bodies of budget_keeper.hpp.
#pragma once

#include "flashlm/model/budget_keeper.hpp"

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <utility>

#include "flashlm/model/plan/memory_needs.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE BudgetKeeper::BudgetKeeper(const Model& model, EngineOptions& options, int n_threads)
    : model_(&model),
      options_(&options),
      n_threads_(n_threads),
      plan_(MemoryPlan::resolve(needs(), options.memory, options.parallel)),
      governor_(options.sensor) {}

FLASHLM_INLINE MemoryPlan BudgetKeeper::copy() const {
  const std::lock_guard lock(mutex_);
  return plan_;
}

FLASHLM_INLINE void BudgetKeeper::govern(Pass& pass) {
  if (!options_->governed) return;
  const std::uint64_t wanted = governor_.look(now_seconds(), plan_.window + plan_.pinned);
  if (wanted == 0 || !plan_.can_shrink()) return;
  const std::uint64_t held = plan_.window + plan_.pinned + plan_.stream;
  const std::size_t n_rows = plan_.n_rows;
  change(plan_.shrunk(needs(), held - std::min(held, wanted)), pass);
  const std::uint64_t kept = plan_.window + plan_.pinned + plan_.stream;
  if (kept < held) governor_.gave_back(held - kept, n_rows - plan_.n_rows);
}

FLASHLM_INLINE void BudgetKeeper::make_room(std::size_t n, Pass& pass) {
  if (n <= plan_.sessions) return;
  if (options_->memory.automatic) {  // what is held now, and what is free beside it
    options_->limit = options_->sensor().limit;
    options_->memory.bytes =
        plan_.total + std::min(options_->limit.spare(), MemoryLimit::kUnlimited - plan_.total);
  }
  change(MemoryPlan::resolve(needs(), options_->memory, n, &plan_), pass);
}

FLASHLM_INLINE MemoryNeeds BudgetKeeper::needs() const {
  return memory_needs(*model_, *options_, n_threads_);
}

FLASHLM_INLINE void BudgetKeeper::change(MemoryPlan plan, Pass& pass) {
  pass.shrink(plan);
  const std::lock_guard lock(mutex_);
  plan_ = std::move(plan);
}

}  // namespace flashlm::inline FLASHLM_ABI::model
