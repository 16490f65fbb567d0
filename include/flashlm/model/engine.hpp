// SPDX-License-Identifier: Apache-2.0
/// engine.hpp: runs tokens through a model whose neurons come from flash.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/process.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/base/turns.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/model/batch.hpp"
#include "flashlm/model/budget_keeper.hpp"
#include "flashlm/model/graph/model.hpp"
#include "flashlm/model/kv/kv_cache.hpp"
#include "flashlm/model/pass.hpp"
#include "flashlm/model/plan/engine_options.hpp"
#include "flashlm/model/plan/memory_plan.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/units/select/activation_tap.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// Owns what all sessions of a model share: threads, reader, pinned weights, stream, scratch.
///
/// A step allocates nothing. Results depend on no option but the policy paper
/// (docs/architecture.md, numerics). Thread-safe: one step at a time, others wait in the order in
/// which they came. Only for the process that made it: in a forked child every call that computes
/// throws Error, and what reads numbers or destroys works.
class Engine {
 public:
  /// Reads the weights that stay in DRAM. Without a `reader`, opens the one that the options name.
  ///
  /// Throws BudgetError before anything is read; IoError, FormatError, ArgumentError.
  explicit Engine(std::shared_ptr<const Model> model, EngineOptions options = {},
                  std::unique_ptr<storage::Reader> reader = nullptr);

  const Model& model() const noexcept { return *model_; }
  const ModelSpec& spec() const noexcept { return model_->spec(); }
  /// As it is now: sessions and the governor change it.
  MemoryPlan memory_plan() const { return budget_.copy(); }
  std::size_t context() const noexcept { return options_.context; }
  std::size_t max_batch() const noexcept { return options_.max_batch; }
  std::string_view reader_name() const noexcept { return reader_->name(); }
  int n_threads() const noexcept { return parallel_.n_threads(); }
  /// Names what results depend on beside the model: the policy paper and its window; else empty.
  std::string numerics() const;

  /// A KV cache for one more session. Beyond the sessions of the plan (option parallel), pinned
  /// weights make room for it; with an automatic budget, what the system can spare does first.
  ///
  /// Throws BudgetError, with nothing changed, when there is no room left to make.
  KvCache add_session();

  /// Tells that a session's cache is gone; its room serves the next session. Waits for nobody:
  /// sessions are dropped anywhere, by a collector of garbage within a step too.
  void remove_session() noexcept { n_sessions_.fetch_sub(1); }

  /// What a wait for this engine, or for a session of it, calls about ten times a second; may be
  /// empty.
  const std::function<void()>& on_wait() const noexcept { return options_.on_wait; }

  /// Throws Error in a forked child.
  void require_own_process() const { turns_.origin().require_here("language_model", "the model"); }

  /// Whether this is a forked child, and a step was running at the fork.
  bool is_torn() const noexcept { return turns_.is_torn(); }

  /// Runs `tokens` at positions first, first + 1, ... of a session and stores their keys and values
  /// in `kv`.
  ///
  /// tokens [n], 1 <= n <= max_batch; logits [m, vocab_size] with m <= n: those of the last m
  /// tokens. Adds to `stats`. Throws ShapeError, or IoError if a read fails; positions below
  /// `first` are then as before. Throws ArgumentError if a callback of this engine calls it.
  void forward(KvCache& kv, std::size_t first, std::span<const Token> tokens,
               std::span<float> logits, Phase phase, Stats& stats);

  /// Shows the activations of every layer to `observer` from now on, of all sessions; an empty one
  /// ends it.
  ///
  /// The observer is called in the middle of a step and may throw to stop it. Takes max_batch *
  /// hidden_dim floats beside the budget. A step throws FormatError for activations that are not
  /// finite. Throws ArgumentError unless the selector is dense.
  void observe(units::ActivationTap::Observer observer);

 private:
  std::shared_ptr<const Model> model_;
  EngineOptions options_;
  std::optional<MemoryLock> lock_;  // while memory is taken
  Parallel parallel_;
  BudgetKeeper budget_;
  std::unique_ptr<storage::Reader> reader_;
  Pass pass_;
  std::atomic<std::size_t> n_sessions_{0};
  Turns turns_;  // everything else
};

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/engine.ipp"
#endif
