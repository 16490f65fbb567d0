// SPDX-License-Identifier: Apache-2.0
/// pass.ipp: the bodies of pass.hpp.
#pragma once

#include "flashlm/model/pass.hpp"

#include <utility>

#include "flashlm/compute/backend.hpp"
#include "flashlm/model/parts/normalize.hpp"
#include "flashlm/model/plan/memory_needs.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE Pass::Pass(const Model& model, const EngineOptions& options, const MemoryPlan& plan,
                          storage::Reader& reader, Parallel& parallel)
    : model_(&model),
      options_(&options),
      reader_(&reader),
      parallel_(&parallel),
      n_rows_(plan.n_rows),
      stream_(plan.layout, reader, model.bundles().file_bytes(), plan.pinned_pieces, plan.ring,
              parallel),
      embedding_(model.weights().embedding(), stream_, reader,
                 model.bundles()
                     .files()[model.segments()[model.weights().embedding().segment].file]
                     .size()),
      product_(parallel, stream_, options.max_batch, model.tile_cols()),
      selector_(model.selector().load()),
      layer_(spec(), parallel, product_, options.max_batch, options.context),
      activations_(activation_bytes(spec(), options)) {
  if (model.bundled()) {
    streamed_.emplace(model.bundles(), stream_, model.neuron_segments(), parallel,
                      options.max_batch);
  } else {
    dense_.emplace(spec(), model.weights(), parallel, product_, options.max_batch);
  }
}

FLASHLM_INLINE void Pass::load(const std::function<void(std::size_t, std::size_t)>& on_progress) {
  stream_.load(on_progress);
  if (is_selective()) selective_ = make_selective();
}

FLASHLM_INLINE void Pass::run(KvCache& kv, std::size_t first, std::span<const Token> tokens,
                              std::span<float> logits, Stats& stats) {
  const std::span<float> x = activations(0, tokens.size());
  const std::size_t n_passed = model_->n_passed();
  try {
    stream_.begin(logits.empty() ? n_passed - 1 : n_passed);  // the head comes last
    embed(tokens, first, x);
    for (std::size_t layer = 0; layer < spec().n_layers(); ++layer) {
      check_in();
      run_layer(layer, kv, first, tokens.size(), x, stats);
    }
    if (!logits.empty()) read_logits(x, logits);
  } catch (...) {
    stream_.restart();
    throw;
  }
}

FLASHLM_INLINE void Pass::observe(units::ActivationTap::Observer observer) {
  if (dense_) return dense_->observe(std::move(observer));
  streamed_->observe(std::move(observer));
}

FLASHLM_INLINE void Pass::shrink(const MemoryPlan& plan) {
  const bool rows_are_right = plan.n_rows == n_rows_ || selective_->shrink(plan.n_rows);
  stream_.shrink(plan.pinned_pieces, plan.ring);
  n_rows_ = plan.n_rows;
  if (rows_are_right) return;
  selective_.reset();
  selective_ = make_selective();  // what was in the rows is read again
}

FLASHLM_INLINE std::unique_ptr<units::SelectiveFfn> Pass::make_selective() const {
  return std::make_unique<units::SelectiveFfn>(
      model_->bundles(), *reader_, *parallel_, selector_,
      model_->selector().scratch_bytes(options_->max_batch, parallel_->n_threads()),
      chosen_options(*options_, n_rows_));
}

FLASHLM_INLINE std::span<float> Pass::activations(std::size_t index,
                                                  std::size_t n_tokens) noexcept {
  return activations_.as<float>().subspan(index * options_->max_batch * spec().dim,
                                          n_tokens * spec().dim);
}

FLASHLM_INLINE void Pass::check_in() {
  if (!options_->on_wait || now_seconds() < next_check_in_) return;
  next_check_in_ = now_seconds() + kCheckInSeconds;
  options_->on_wait();
}

FLASHLM_INLINE void Pass::embed(std::span<const Token> tokens, std::size_t first,
                                std::span<float> x) {
  embedding_.run(tokens, x);
  if (spec().embedding.scale != 1) compute::Backend::scale(x, spec().embedding.scale);
  if (!spec().embedding.positions) return;
  const MatrixView& positions = model_->weights().positions();
  const std::span<float> position = activations(1, 1);
  for (std::size_t at = 0; at < tokens.size(); ++at) {
    const std::size_t row = first + at + spec().embedding.positions->offset;
    compute::Backend::widen(positions.dtype, positions.row(row), position);
    compute::Backend::add(position, x.subspan(at * spec().dim, spec().dim));
  }
}

FLASHLM_INLINE void Pass::run_layer(std::size_t index, KvCache& kv, std::size_t first,
                                    std::size_t n_tokens, std::span<float> x, Stats& stats) {
  const LayerWeights& weights = model_->weights().layer(index);
  with_ffn([&](auto& ffn) {
    layer_.run(index, spec().layer(index), weights, ffn, kv, first, n_tokens, x, stats);
  });
}

FLASHLM_INLINE void Pass::read_logits(std::span<const float> x, std::span<float> logits) {
  const Weights& weights = model_->weights();
  const std::size_t n = logits.size() / spec().vocab_size;
  const std::span<float> normed = activations(1, n);
  normalize(spec().final_norm, x.last(normed.size()), weights.final_norm(), spec().dim, normed);
  product_.run(weights.head(), normed, n, logits, weights.head_bias());
  if (spec().head.scale != 1) compute::Backend::scale(logits, spec().head.scale);
  if (spec().head.softcap != 0) compute::Backend::softcap(logits, spec().head.softcap);
}

}  // namespace flashlm::inline FLASHLM_ABI::model
