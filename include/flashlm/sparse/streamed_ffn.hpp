// SPDX-License-Identifier: Apache-2.0
/// streamed_ffn.hpp: the feed-forward networks of a dense model, a part in DRAM and the rest from flash.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <utility>

#include "flashlm/base/parallel.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/sparse/activation_tap.hpp"
#include "flashlm/sparse/bundle_stream.hpp"
#include "flashlm/sparse/neuron_cache.hpp"
#include "flashlm/sparse/sparse_ffn.hpp"
#include "flashlm/storage/bundle_file.hpp"
#include "flashlm/storage/reader.hpp"

namespace flashlm::inline v0::sparse {

/// Every neuron of every layer, exactly: pinned bundles from the cache, the others as the stream brings them.
///
/// Layers run in order, all of them in every pass, so that reading ahead is certain to pay. Allocates nothing after
/// construction but in `shrink`. Not thread-safe.
class StreamedFfn {
 public:
  /// `file`, `reader` and `parallel` must outlive this object; batches of up to `max_tokens`.
  StreamedFfn(const storage::BundleFile& file, storage::Reader& reader, Parallel& parallel, std::size_t max_tokens,
              std::span<const std::size_t> pinned_bundles, BundleStream::Ring ring)
      : file_(&file),
        reader_(&reader),
        max_tokens_(max_tokens),
        cache_(file, pinned_bundles),
        ffn_(parallel, max_tokens),
        stream_(std::make_unique<BundleStream>(file, reader, pinned_bundles, ring)) {}

  /// Reads the pinned bundles; on_progress(done, total) counts bytes and may throw to stop. Throws IoError.
  void load(const std::function<void(std::size_t, std::size_t)>& on_progress = {}) {
    cache_.load(*reader_, on_progress);
  }

  /// y = the feed-forward network of `layer`; adds to hits, misses and io_seconds.
  ///
  /// x, y [n_tokens, dim], row-major; y may not overlap x. Throws IoError; call `restart` before the next pass then.
  void run(std::size_t layer, const FfnParameters& parameters, std::span<const float> x, std::size_t n_tokens,
           std::span<float> y, Stats& stats) {
    const storage::BundleLayout& layout = file_->layout(layer);
    const std::size_t pinned = cache_.n_bundles(layer);
    const std::size_t hits = std::min(layout.n_neurons, pinned * layout.neurons_per_bundle);
    stats.hits += hits * n_tokens;
    stats.misses += (layout.n_neurons - hits) * n_tokens;
    const double waited = stream_->waited_seconds();
    std::fill(y.begin(), y.end(), 0.0f);
    // What is here is computed while the rest arrives; ids ascend, so that the sum is one chain.
    if (pinned != 0) ffn_.accumulate(layout, parameters, cache_.bundle(layer, 0), 0, pinned, x, n_tokens, y);
    for (std::size_t bundle = pinned; bundle < layout.n_bundles();) {
      const BundleStream::Piece piece = stream_->next();
      FLASHLM_ASSERT(piece.layer == layer && piece.first == bundle);
      ffn_.accumulate(layout, parameters, piece.data, piece.first, piece.n_bundles, x, n_tokens, y);
      stream_->release();
      bundle += piece.n_bundles;
    }
    stats.io_seconds += stream_->waited_seconds() - waited;
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

  /// Begins the next pass at the first layer, whatever happened in the last one.
  void restart() noexcept { stream_->restart(); }

  /// Gives pinned bundles back to the system and streams them from now on.
  void shrink(std::span<const std::size_t> pinned_bundles, BundleStream::Ring ring) {
    stream_.reset();
    for (std::size_t layer = 0; layer < pinned_bundles.size(); ++layer) cache_.shrink(layer, pinned_bundles[layer]);
    stream_ = std::make_unique<BundleStream>(*file_, *reader_, pinned_bundles, ring);
  }

 private:
  const storage::BundleFile* file_;
  storage::Reader* reader_;
  std::size_t max_tokens_;
  NeuronCache cache_;
  SparseFfn ffn_;
  std::unique_ptr<BundleStream> stream_;
  std::unique_ptr<ActivationTap> tap_;  // null unless somebody observes
};

}  // namespace flashlm::inline v0::sparse
