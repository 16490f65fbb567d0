// SPDX-License-Identifier: Apache-2.0
/// budget_keeper.hpp: keeps an engine within its memory budget while sessions come and limits
/// change.
#pragma once

#include <cstddef>

#include "flashlm/base/process.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/model/graph/model.hpp"
#include "flashlm/model/pass.hpp"
#include "flashlm/model/plan/engine_options.hpp"
#include "flashlm/model/plan/governor.hpp"
#include "flashlm/model/plan/memory_plan.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// Holds the plan of an engine, and makes a pass hold no more than the plan says.
///
/// One caller at a time, but for `copy`, which any thread may call.
class BudgetKeeper {
 public:
  /// Splits the budget. `model` and `options`, which are complete, must outlive this object. Throws
  /// BudgetError.
  BudgetKeeper(const Model& model, EngineOptions& options, int n_threads);

  /// As it is now.
  const MemoryPlan& plan() const noexcept { return plan_; }
  /// The same for a thread that has not the engine's turn.
  MemoryPlan copy() const;
  const GovernorStats& stats() const noexcept { return governor_.stats(); }

  /// Between two steps: gives rows of neurons and pinned weights back if the system needs their
  /// memory. Throws what a hook of the reader throws.
  void govern(Pass& pass);

  /// Between two steps: room for the caches of `n` sessions. With an automatic budget, what the
  /// system can spare comes before pinned weights. Throws BudgetError, with nothing changed.
  void make_room(std::size_t n, Pass& pass);

 private:
  MemoryNeeds needs() const;

  void change(MemoryPlan plan, Pass& pass);

  const Model* model_;
  EngineOptions* options_;
  int n_threads_;
  MemoryPlan plan_;
  Governor governor_;
  mutable ForkMutex mutex_;  // plan_ is written with it, and read with it without the turn
};

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/budget_keeper.ipp"
#endif
