// SPDX-License-Identifier: Apache-2.0
/// dense_ffn.ipp: the bodies of dense_ffn.hpp.
#pragma once

#include "flashlm/model/parts/dense_ffn.hpp"

#include <algorithm>
#include <utility>

#include "flashlm/compute/backend.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE DenseFfn::DenseFfn(const ModelSpec& spec, const Weights& weights, Parallel& parallel,
                                  Product& product, std::size_t max_tokens)
    : parallel_(&parallel),
      product_(&product),
      max_tokens_(max_tokens),
      hidden_(hidden(spec)),
      scratch_(bytes(spec, max_tokens)) {
  for (std::size_t layer = 0; layer < spec.n_layers(); ++layer) {
    const std::vector<PartSpec>& parts = spec.layer(layer).parts;
    const auto network = std::find_if(parts.begin(), parts.end(), [](const PartSpec& part) {
      return part.does == PartKind::ffn;
    });
    const auto at = static_cast<std::size_t>(network - parts.begin());
    networks_.push_back(&weights.layer(layer).parts[at].ffn);
  }
}

FLASHLM_INLINE std::size_t DenseFfn::bytes(const ModelSpec& spec, std::size_t max_tokens) {
  return 2 * max_tokens * hidden(spec) * sizeof(float);
}

FLASHLM_INLINE std::size_t DenseFfn::hidden(const ModelSpec& spec) noexcept {
  std::size_t most = 0;
  for (const LayerSpec& layer : spec.decoder().kinds) {
    for (const PartSpec& part : layer.parts) {
      if (part.does == PartKind::ffn) most = std::max(most, part.ffn.hidden);
    }
  }
  return most;
}

FLASHLM_INLINE std::span<float> DenseFfn::buffer(std::size_t index, std::size_t n) noexcept {
  return scratch_.as<float>().subspan(index * max_tokens_ * hidden_, n);
}

FLASHLM_INLINE void DenseFfn::run(std::size_t layer, const units::FfnParameters& parameters,
                                  std::span<const float> x, std::size_t n_tokens,
                                  std::span<float> y, Stats& stats) {
  const FfnWeights& weights = *networks_[layer];
  const bool gated = weights.gate.rows != 0;
  const std::size_t n = weights.up.rows;
  const std::span<float> h = buffer(0, n_tokens * n);
  const std::span<float> ups = gated ? buffer(1, n_tokens * n) : h;
  std::size_t pinned = 0;
  if (gated) pinned += product_->run(weights.gate, x, n_tokens, h);
  pinned += product_->run(weights.up, x, n_tokens, ups, parameters.up_bias);
  activate(parameters, n, n_tokens, h, gated ? ups : std::span<float>());
  if (tap_) tap_->put(0, n, n_tokens, h.data(), n);
  pinned += weights.down.transposed ? product_->sum(weights.down, h, n_tokens, y)
                                    : product_->run(weights.down, h, n_tokens, y);
  for (float& value : y)
    value += 0.0f;  // -0 becomes +0: adding a zero more or less shows in nothing
  const std::size_t hits =
      n_tokens * n * pinned /
      (weights.gate.extent.bytes + weights.up.extent.bytes + weights.down.extent.bytes);
  stats.hits += hits;
  stats.misses += n_tokens * n - hits;
  if (tap_) tap_->finish(layer, n_tokens, x);
}

FLASHLM_INLINE void DenseFfn::activate(const units::FfnParameters& parameters,
                                       std::size_t n_neurons, std::size_t n_tokens,
                                       std::span<float> gates, std::span<const float> ups) {
  const std::size_t n = n_neurons;
  parallel_->for_range(n_tokens * n, kGrainNeurons, [&](std::size_t begin, std::size_t end) {
    const std::span<float> part = gates.subspan(begin, end - begin);
    if (ups.empty()) {
      compute::Backend::activate(parameters.activation, parameters.threshold, part);
    } else {
      compute::Backend::activate(parameters.activation, parameters.threshold, part,
                                 ups.subspan(begin, end - begin));
    }
  });
}

FLASHLM_INLINE void DenseFfn::observe(units::ActivationTap::Observer observer) {
  tap_.reset();
  if (!observer) return;
  tap_ = std::make_unique<units::ActivationTap>(max_tokens_, networks_.front()->up.rows,
                                                std::move(observer));
}

}  // namespace flashlm::inline FLASHLM_ABI::model
