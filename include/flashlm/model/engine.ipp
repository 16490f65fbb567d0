// SPDX-License-Identifier: Apache-2.0
/// engine.ipp: the bodies of engine.hpp.
#pragma once

#include "flashlm/model/engine.hpp"

#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/model/plan/memory_needs.hpp"
#include "flashlm/model/step_meter.hpp"
#include "flashlm/storage/readers/open_reader.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE Engine::Engine(std::shared_ptr<const Model> model, EngineOptions options,
                              std::unique_ptr<storage::Reader> reader)
    : model_(std::move(model)),
      options_(complete(std::move(options), *model_)),
      lock_(std::in_place, options_.lock_memory),
      parallel_(options_.n_threads),
      budget_(*model_, options_, parallel_.n_threads()),
      reader_(reader ? std::move(reader)
                     : storage::open_reader(options_.reader, model_->bundles().files())),
      pass_(*model_, options_, budget_.plan(), *reader_, parallel_) {
  if (options_.lock_memory) model_->weights().lock();
  lock_.reset();
  reader_->watch({options_.on_wait, options_.on_stall, options_.stall_seconds});
  pass_.load(options_.on_progress);
}

FLASHLM_INLINE std::string Engine::numerics() const {
  return units::numerics(units::make_eviction(options_.policy, options_.window));
}

FLASHLM_INLINE void Engine::observe(units::ActivationTap::Observer observer) {
  const Turns::Turn turn(turns_);
  if (pass_.is_selective()) {
    throw ArgumentError(
        concat("[engine] observe: expected the dense selector, got ", model_->selector().name()));
  }
  pass_.observe(std::move(observer));
}

FLASHLM_INLINE KvCache Engine::add_session() {
  const Turns::Turn turn(turns_, options_.on_wait);
  budget_.make_room(n_sessions_.load() + 1, pass_);
  const MemoryLock locked(options_.lock_memory);
  KvCache kv(spec(), options_.context, model_->kv_dtype());
  ++n_sessions_;
  return kv;
}

FLASHLM_INLINE void Engine::forward(KvCache& kv, std::size_t first, std::span<const Token> tokens,
                                    std::span<float> logits, Phase phase, Stats& stats) {
  check_batch(spec(), options_.max_batch, kv, first, tokens, logits);
  const Turns::Turn turn(turns_, options_.on_wait);
  StepMeter meter(*reader_, pass_, stats);
  budget_.govern(pass_);
  pass_.run(kv, first, tokens, logits, stats);
  meter.finish(tokens.size(), phase, budget_.stats());
}

}  // namespace flashlm::inline FLASHLM_ABI::model
