// SPDX-License-Identifier: Apache-2.0
/// streamed_ffn.hpp: the feed-forward networks of a dense model, a part in DRAM and the rest from flash.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/parallel.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/sparse/activation_tap.hpp"
#include "flashlm/sparse/sparse_ffn.hpp"
#include "flashlm/sparse/weight_stream.hpp"
#include "flashlm/storage/bundle_file.hpp"

namespace flashlm::inline v0::sparse {

/// Every neuron of every layer, exactly, in the order of their ids: the sum is one chain wherever neurons come from.
///
/// `run` allocates nothing. Not thread-safe.
class StreamedFfn {
 public:
  /// `segments` [n_layers] are those of the layers' bundles in `stream`. `file`, `stream` and `parallel` must outlive
  /// this object; batches of up to `max_tokens`.
  StreamedFfn(const storage::BundleFile& file, WeightStream& stream, std::vector<std::size_t> segments,
              Parallel& parallel, std::size_t max_tokens)
      : file_(&file),
        stream_(&stream),
        segments_(std::move(segments)),
        max_tokens_(max_tokens),
        ffn_(parallel, max_tokens, quantised_dim(file)) {}

  /// Bytes that an object for these layers holds.
  static std::size_t bytes(const storage::BundleFile& file, std::size_t max_tokens) {
    return SparseFfn::bytes(max_tokens, quantised_dim(file));
  }

  /// y = the feed-forward network of `layer`; adds to hits and misses.
  ///
  /// x, y [n_tokens, dim], row-major; y may not overlap x. Throws IoError; the stream has to be restarted then.
  void run(std::size_t layer, const FfnParameters& parameters, std::span<const float> x, std::size_t n_tokens,
           std::span<float> y, Stats& stats) {
    const storage::BundleLayout& layout = file_->layout(layer);
    std::fill(y.begin(), y.end(), 0.0f);
    stream_->use(segments_[layer], [&](const WeightStream::Units& bundles) {
      const std::size_t begin = bundles.first * layout.neurons_per_bundle;
      const std::size_t end = std::min(layout.n_neurons, (bundles.first + bundles.n) * layout.neurons_per_bundle);
      (bundles.pinned ? stats.hits : stats.misses) += (end - begin) * n_tokens;
      ffn_.accumulate(layout, parameters, bundles.data, bundles.first, bundles.n, x, n_tokens, y);
    });
    for (float& value : y) value += 0.0f;  // -0 becomes +0: adding a zero more or less shows in nothing
    if (tap_) tap_->finish(layer, n_tokens, x);
  }

  /// Shows the activations of every layer to `observer` from now on; an empty one ends it. Throws std::bad_alloc.
  void observe(ActivationTap::Observer observer) {
    ffn_.watch(nullptr);
    tap_.reset();
    if (!observer) return;
    tap_ = std::make_unique<ActivationTap>(max_tokens_, file_->layout(0).n_neurons, std::move(observer));
    ffn_.watch(tap_.get());
  }

 private:
  /// The dim of layers that are quantised; 0 if none is.
  static std::size_t quantised_dim(const storage::BundleFile& file) {
    std::size_t dim = 0;
    for (std::size_t layer = 0; layer < file.n_layers(); ++layer) {
      if (is_block(file.layout(layer).dtype)) dim = std::max(dim, file.layout(layer).dim);
    }
    return dim;
  }

  const storage::BundleFile* file_;
  WeightStream* stream_;
  std::vector<std::size_t> segments_;  // [n_layers]
  std::size_t max_tokens_;
  SparseFfn ffn_;
  std::unique_ptr<ActivationTap> tap_;  // null unless somebody observes
};

}  // namespace flashlm::inline v0::sparse
