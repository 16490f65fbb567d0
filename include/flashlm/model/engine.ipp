// SPDX-License-Identifier: Apache-2.0
/// engine.ipp: the bodies of engine.hpp.
#pragma once

#include "flashlm/model/engine.hpp"

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/compute/cpu/kernels/activation.hpp"
#include "flashlm/compute/cpu/kernels/elementwise.hpp"
#include "flashlm/compute/cpu/quantise/convert.hpp"
#include "flashlm/model/parts/normalize.hpp"
#include "flashlm/model/plan/memory_needs.hpp"
#include "flashlm/storage/readers/open_reader.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE Engine::Engine(std::shared_ptr<const Model> model, EngineOptions options,
                              std::unique_ptr<storage::Reader> reader)
    : model_(std::move(model)),
      options_(complete(std::move(options), *model_)),
      lock_(std::in_place, options_.lock_memory),
      parallel_(options_.n_threads),
      plan_(MemoryPlan::resolve(needs(), options_.memory, options_.parallel)),
      weights_(&model_->weights()),
      reader_(reader ? std::move(reader)
                     : storage::open_reader(options_.reader, model_->bundles().files())),
      stream_(plan_.layout, *reader_, model_->bundles().file_bytes(), plan_.pinned_pieces,
              plan_.ring, parallel_),
      embedding_(weights_->embedding(), stream_, *reader_, model_->bundles().files().back().size()),
      ffn_(model_->bundles(), stream_, model_->neuron_segments(), parallel_, options_.max_batch),
      selector_(model_->selector().load()),
      product_(parallel_, stream_, options_.max_batch, model_->tile_cols()),
      layer_(spec(), parallel_, product_, options_.max_batch, options_.context),
      activations_(activation_bytes(spec(), options_)),
      governor_(options_.sensor) {
  if (options_.lock_memory) weights_->lock();
  lock_.reset();
  reader_->watch({options_.on_wait, options_.on_stall, options_.stall_seconds});
  stream_.load(options_.on_progress);
  if (plan_.n_rows != 0) selective_ = make_selective();
}

FLASHLM_INLINE MemoryPlan Engine::memory_plan() const {
  const std::lock_guard lock(plan_mutex_);
  return plan_;
}

FLASHLM_INLINE std::string Engine::numerics() const {
  return units::numerics(units::make_eviction(options_.policy, options_.window));
}

FLASHLM_INLINE void Engine::observe(units::ActivationTap::Observer observer) {
  const Turns::Turn turn(turns_);
  if (selective_) {
    throw ArgumentError(
        concat("[engine] observe: expected the dense selector, got ", model_->selector().name));
  }
  ffn_.observe(std::move(observer));
}

FLASHLM_INLINE MemoryNeeds Engine::needs() const {
  return memory_needs(*model_, options_, parallel_.n_threads());
}

FLASHLM_INLINE std::unique_ptr<units::SelectiveFfn> Engine::make_selective() {
  return std::make_unique<units::SelectiveFfn>(
      model_->bundles(), *reader_, parallel_, selector_,
      model_->selector().scratch_bytes(options_.max_batch, parallel_.n_threads()),
      windowed_options(options_, plan_.n_rows));
}

FLASHLM_INLINE std::span<float> Engine::activations(std::size_t index,
                                                    std::size_t n_tokens) noexcept {
  return activations_.as<float>().subspan(index * options_.max_batch * spec().dim,
                                          n_tokens * spec().dim);
}

FLASHLM_INLINE void Engine::govern() {
  if (!options_.governed) return;
  const std::uint64_t wanted = governor_.look(now_seconds(), plan_.window + plan_.pinned);
  if (wanted == 0 || !plan_.can_shrink()) return;
  const std::uint64_t held = plan_.window + plan_.pinned + plan_.stream;
  const std::size_t n_rows = plan_.n_rows;
  shrink(plan_.shrunk(needs(), held - std::min(held, wanted)));
  const std::uint64_t kept = plan_.window + plan_.pinned + plan_.stream;
  if (kept < held) governor_.gave_back(held - kept, n_rows - plan_.n_rows);
}

FLASHLM_INLINE void Engine::shrink(MemoryPlan plan) {
  const bool rows_are_right = plan.n_rows == plan_.n_rows || selective_->shrink(plan.n_rows);
  stream_.shrink(plan.pinned_pieces, plan.ring);
  if (!rows_are_right) selective_.reset();
  {
    const std::lock_guard lock(plan_mutex_);
    plan_ = std::move(plan);
  }
  if (plan_.n_rows != 0 && !selective_)
    selective_ = make_selective();  // what was in the rows is read again
}

FLASHLM_INLINE void Engine::check_in() {
  if (!options_.on_wait || now_seconds() < next_check_in_) return;
  next_check_in_ = now_seconds() + kCheckInSeconds;
  options_.on_wait();
}

FLASHLM_INLINE KvCache Engine::add_session() {
  const Turns::Turn turn(turns_, options_.on_wait);
  if (const std::size_t n = n_sessions_.load(); n >= plan_.sessions) {
    if (options_.memory.automatic) {  // what is held now, and what is free beside it
      options_.limit = options_.sensor().limit;
      options_.memory.bytes =
          plan_.total + std::min(options_.limit.spare(), MemoryLimit::kUnlimited - plan_.total);
    }
    shrink(MemoryPlan::resolve(needs(), options_.memory, n + 1, &plan_));
  }
  const MemoryLock locked(options_.lock_memory);
  KvCache kv(spec(), options_.context, model_->kv_dtype());
  ++n_sessions_;
  return kv;
}

FLASHLM_INLINE void Engine::forward(KvCache& kv, std::size_t first, std::span<const Token> tokens,
                                    std::span<float> logits, Phase phase, Stats& stats) {
  check_batch(spec(), options_.max_batch, kv, first, tokens, logits);
  const Turns::Turn turn(turns_, options_.on_wait);
  const double start = now_seconds();
  const Stats earlier = stats;
  const double stood = waited_seconds();
  const std::uint64_t gap = stream_.gap_bytes() + embedding_.gap_bytes();
  const storage::ReaderStats before = reader_->stats();
  const double busy = reader_->busy_seconds();
  const std::size_t n = tokens.size();
  const std::span<float> x = activations(0, n);
  try {
    govern();
    stream_.begin(logits.empty() ? model_->n_passed() - 1 : model_->n_passed());
    embed(tokens, first, x);
    for (std::size_t layer = 0; layer < spec().n_layers(); ++layer) {
      check_in();
      const LayerWeights& weights = weights_->layer(layer);
      if (selective_) {
        layer_.run(layer, spec().layer(layer), weights, *selective_, kv, first, n, x, stats);
      } else {
        layer_.run(layer, spec().layer(layer), weights, ffn_, kv, first, n, x, stats);
      }
    }
    if (!logits.empty()) read_logits(x, logits);
  } catch (...) {
    stream_.restart();
    throw;
  }
  stats.io_seconds += waited_seconds() - stood;
  stats.governor = governor_.stats();
  const double seconds = now_seconds() - start;
  stats.read_seconds += std::min(seconds, reader_->busy_seconds() - busy);
  const storage::ReaderStats after = reader_->stats();
  const bool decode = phase == Phase::decode;
  (decode ? stats.decode_seconds : stats.prefill_seconds) += seconds;
  (decode ? stats.tokens : stats.prefill_tokens) += n;
  stats.bytes_read += after.bytes_read - before.bytes_read;
  if (decode) stats.count_decode(earlier);
  stats.gap_bytes +=
      after.gap_bytes - before.gap_bytes + stream_.gap_bytes() + embedding_.gap_bytes() - gap;
  stats.reads += after.reads - before.reads;
  stats.compute_seconds += seconds - (stats.io_seconds - earlier.io_seconds) -
                           (stats.memory_seconds - earlier.memory_seconds);
}

FLASHLM_INLINE void Engine::embed(std::span<const Token> tokens, std::size_t first,
                                  std::span<float> x) {
  embedding_.run(tokens, x);
  if (spec().embedding.scale != 1) kernels::scale(x, spec().embedding.scale);
  if (!spec().embedding.positions) return;
  const MatrixView& positions = weights_->positions();
  const std::span<float> position = activations(1, 1);
  for (std::size_t at = 0; at < tokens.size(); ++at) {
    const std::size_t row = first + at + spec().embedding.positions->offset;
    kernels::to_f32(positions.dtype, positions.row(row), position);
    kernels::add(position, x.subspan(at * spec().dim, spec().dim));
  }
}

FLASHLM_INLINE void Engine::read_logits(std::span<const float> x, std::span<float> logits) {
  const std::size_t n = logits.size() / spec().vocab_size;
  const std::span<float> normed = activations(1, n);
  normalize(spec().final_norm, x.last(normed.size()), weights_->final_norm(), spec().dim, normed);
  product_.run(weights_->head(), normed, n, logits, weights_->head_bias());
  if (spec().head.scale != 1) kernels::scale(logits, spec().head.scale);
  if (spec().head.softcap != 0) kernels::softcap(logits, spec().head.softcap);
}

}  // namespace flashlm::inline FLASHLM_ABI::model
