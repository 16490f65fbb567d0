// SPDX-License-Identifier: Apache-2.0
/// streamed_ffn.ipp: the bodies of streamed_ffn.hpp.
#pragma once

#include "flashlm/units/ffn/streamed_ffn.hpp"

#include <algorithm>
#include <utility>

#include "flashlm/base/dtype.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_INLINE StreamedFfn::StreamedFfn(const storage::BundleFile& file,
                                        stream::WeightStream& stream,
                                        std::vector<std::size_t> segments, Parallel& parallel,
                                        std::size_t max_tokens)
    : file_(&file),
      stream_(&stream),
      segments_(std::move(segments)),
      max_tokens_(max_tokens),
      ffn_(parallel, max_tokens, quantised_dim(file)) {}

FLASHLM_INLINE std::size_t StreamedFfn::bytes(const storage::BundleFile& file,
                                              std::size_t max_tokens) {
  return SparseFfn::bytes(max_tokens, quantised_dim(file));
}

FLASHLM_INLINE void StreamedFfn::run(std::size_t layer, const FfnParameters& parameters,
                                     std::span<const float> x, std::size_t n_tokens,
                                     std::span<float> y, Stats& stats) {
  const storage::BundleLayout& layout = file_->layout(layer);
  std::fill(y.begin(), y.end(), 0.0f);
  stream_->use(segments_[layer], [&](const stream::WeightStream::Units& bundles) {
    const std::size_t begin = bundles.first * layout.neurons_per_bundle;
    const std::size_t end =
        std::min(layout.n_neurons, (bundles.first + bundles.n) * layout.neurons_per_bundle);
    (bundles.pinned ? stats.hits : stats.misses) += (end - begin) * n_tokens;
    ffn_.accumulate(layout, parameters, bundles.data, bundles.first, bundles.n, x, n_tokens, y);
  });
  for (float& value : y)
    value += 0.0f;  // -0 becomes +0: adding a zero more or less shows in nothing
  if (tap_) tap_->finish(layer, n_tokens, x);
}

FLASHLM_INLINE void StreamedFfn::observe(ActivationTap::Observer observer) {
  ffn_.watch(nullptr);
  tap_.reset();
  if (!observer) return;
  tap_ =
      std::make_unique<ActivationTap>(max_tokens_, file_->layout(0).n_neurons, std::move(observer));
  ffn_.watch(tap_.get());
}

FLASHLM_INLINE std::size_t StreamedFfn::quantised_dim(const storage::BundleFile& file) {
  std::size_t dim = 0;
  for (std::size_t layer = 0; layer < file.n_layers(); ++layer) {
    if (is_block(file.layout(layer).dtype)) dim = std::max(dim, file.layout(layer).dim);
  }
  return dim;
}

}  // namespace flashlm::inline FLASHLM_ABI::units
