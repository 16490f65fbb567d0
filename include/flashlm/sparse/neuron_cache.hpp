// SPDX-License-Identifier: Apache-2.0
/// neuron_cache.hpp: which neurons are in DRAM already?
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/sparse/neuron_set.hpp"
#include "flashlm/storage/bundle_file.hpp"
#include "flashlm/storage/reader.hpp"

namespace flashlm::inline v0::sparse {

/// Bundles that stay in DRAM: the first ones of each layer, so that what streams behind them arrives in the order
/// in which neurons are summed (numerics, rule 1).
///
/// Memory is taken when constructed and only ever given back. `file` must outlive the cache. Not thread-safe.
class NeuronCache {
 public:
  /// pinned_bundles [n_layers]: how many bundles of each layer stay.
  NeuronCache(const storage::BundleFile& file, std::span<const std::size_t> pinned_bundles) : file_(&file) {
    FLASHLM_ASSERT(pinned_bundles.size() == file.n_layers());
    layers_.resize(file.n_layers());
    for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
      layers_[layer].n_bundles = std::min(pinned_bundles[layer], file.layout(layer).n_bundles());
      layers_[layer].rows = AlignedBuffer(layers_[layer].n_bundles * file.layout(layer).stride);
    }
  }

  NeuronCache(storage::BundleFile&& file, std::span<const std::size_t> pinned_bundles) = delete;

  /// Reads every pinned bundle; on_progress(done, total) counts bytes and may throw to stop.
  ///
  /// Throws IoError or FormatError if a read fails.
  void load(storage::Reader& reader, const std::function<void(std::size_t, std::size_t)>& on_progress = {}) {
    const std::size_t total = bytes();
    std::size_t done = 0;
    for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
      const storage::Place place = file_->locate(layer, 0, layers_[layer].n_bundles);
      for (std::size_t at = 0; at < place.extent.bytes; at += kLoadBytes) {
        const std::size_t count = std::min<std::size_t>(kLoadBytes, place.extent.bytes - at);
        read_in_pieces(reader, place.file, place.extent.offset + at, layers_[layer].rows.bytes().subspan(at, count));
        done += count;
        if (on_progress) on_progress(done, total);
      }
    }
  }

  /// Splits `active` into neurons that are here and neurons that are not; both outputs are replaced.
  void admit(std::size_t layer, const NeuronSet& active, NeuronSet& hits, NeuronSet& misses) const {
    hits.clear();
    misses.clear();
    const storage::BundleLayout& layout = file_->layout(layer);
    const std::size_t pinned = std::min(layout.n_neurons, layers_[layer].n_bundles * layout.neurons_per_bundle);
    const NeuronId border = static_cast<NeuronId>(pinned);
    for (const NeuronRange& range : active.ranges()) {
      hits.push({range.begin, std::min(range.end, border)});
      misses.push({std::max(range.begin, border), range.end});
    }
  }

  /// Bundles of `layer` that are here: ids [0, n_bundles).
  std::size_t n_bundles(std::size_t layer) const noexcept { return layers_[layer].n_bundles; }

  /// The address of bundle `index` of `layer`, index < n_bundles(layer).
  const std::byte* bundle(std::size_t layer, std::size_t index) const noexcept {
    return layers_[layer].rows.data() + index * file_->layout(layer).stride;
  }

  /// Gives the bundles of `layer` from `n_bundles` on back to the system.
  void shrink(std::size_t layer, std::size_t n_bundles) noexcept {
    if (n_bundles >= layers_[layer].n_bundles) return;
    layers_[layer].n_bundles = n_bundles;
    layers_[layer].rows.shrink(n_bundles * file_->layout(layer).stride);
  }

  /// Bytes held.
  std::size_t bytes() const noexcept {
    return std::accumulate(layers_.begin(), layers_.end(), std::size_t{0},
                           [](std::size_t sum, const Layer& layer) { return sum + layer.rows.size(); });
  }

 private:
  static constexpr std::size_t kLoadBytes = 16u << 20;  // between two calls of on_progress
  static constexpr std::size_t kReadBytes = 1u << 20;   // a read; those of kLoadBytes are in flight together

  struct Layer {
    std::size_t n_bundles = 0;
    AlignedBuffer rows;  // [n_bundles, stride]
  };

  static void read_in_pieces(storage::Reader& reader, std::uint32_t file, std::uint64_t offset,
                             std::span<std::byte> into) {
    storage::Read reads[kLoadBytes / kReadBytes];
    std::size_t n_reads = 0;
    for (std::size_t at = 0; at < into.size(); at += kReadBytes) {
      reads[n_reads++] = {file, offset + at, into.subspan(at, std::min(kReadBytes, into.size() - at))};
    }
    if (n_reads != 0) reader.wait(reader.submit({reads, n_reads}));
  }

  const storage::BundleFile* file_;
  std::vector<Layer> layers_;  // [n_layers]
};

}  // namespace flashlm::inline v0::sparse
