// SPDX-License-Identifier: Apache-2.0
/// windowed_ffn.hpp: feed-forward networks of which each token gets the neurons that it needs, from
/// DRAM or from flash.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/storage/format/bundle_file.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/units/eviction.hpp"
#include "flashlm/units/ffn/gathered_ffn.hpp"
#include "flashlm/units/ffn/layer_stream.hpp"
#include "flashlm/units/ffn/sparse_ffn.hpp"
#include "flashlm/units/neuron_cache.hpp"
#include "flashlm/units/neuron_reads.hpp"
#include "flashlm/units/select/active_sets.hpp"
#include "flashlm/units/select/selector.hpp"
#include "flashlm/units/single_neurons.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// How a WindowedFfn spends memory and reads.
struct WindowedFfnOptions {
  std::size_t max_tokens = 1;
  std::size_t n_rows = 1;  // of neurons, for all layers
  std::size_t staging_bytes = std::size_t{4} << 20;
  Eviction eviction{};
  NeuronReadOptions reads{};
};

/// Selects neurons, reads those that are not in DRAM while it computes with those that are, and
/// sums what fires:
///
///     y = sum over n active and h[n] != 0, ascending, of h[n] * down[n]
///
/// A neuron whose h is 0 adds nothing, as it would if it were multiplied: y begins at +0, and the
/// sign of a zero is lost at the end. (Weights that are not finite are the exception: 0 times
/// infinity is NaN where all neurons are multiplied.) Hence neurons that are not active differ from
/// those that do not fire in nothing but reading.
///
/// One token goes neuron by neuron. A batch streams whole layers in big pieces where that is less
/// work, and gives each token its own set all the same; both ways give the same bits, whatever is
/// in DRAM. A read that fails leaves what is in DRAM as it was. A step allocates nothing. Not
/// thread-safe.
class WindowedFfn {
 public:
  /// `file`, `reader`, `parallel` and `selector` must outlive this object. All bundles hold one
  /// neuron.
  WindowedFfn(const storage::BundleFile& file, storage::Reader& reader, Parallel& parallel,
              const Selector& selector, std::size_t selector_scratch_bytes,
              WindowedFfnOptions options);
  WindowedFfn(const WindowedFfn&) = delete;  // parts point to each other
  WindowedFfn& operator=(const WindowedFfn&) = delete;

  /// Bytes that an object with no rows holds, beside what the selector needs.
  static std::size_t bytes(const storage::BundleFile& file, const WindowedFfnOptions& options);
  /// Bytes of a row and what is known of it.
  static std::size_t row_bytes(const storage::BundleFile& file);

  /// y = the feed-forward network of `layer`, without the bias of down; adds to the statistics of
  /// neurons and times.
  ///
  /// x, y [n_tokens, dim], row-major; y may not overlap x. Layers run in order; layer 0 begins a
  /// token. Throws IoError or FormatError if a read fails, and what a hook of the reader throws;
  /// the next call works, after it has waited for what is still under way.
  void run(std::size_t layer, const FfnParameters& ffn, std::span<const float> x,
           std::size_t n_tokens, std::span<float> y, Stats& stats);

  /// Keeps `n_rows` rows of neurons, one or more; the memory of the others goes back to the system.
  /// Waits for reads that a run left under way; throws what a hook of the reader throws, with
  /// nothing changed. Not within `run`.
  void shrink(std::size_t n_rows);

  const NeuronCache& cache() const noexcept { return cache_; }

 private:
  static constexpr std::size_t kWarmTokens = 4;  // the last ones of a batch, whose neurons stay

  WindowedFfn(const SingleNeurons& all, const storage::BundleFile& file, storage::Reader& reader,
              Parallel& parallel, const Selector& selector, std::size_t selector_scratch_bytes,
              WindowedFfnOptions options);

  /// One token, neuron by neuron: in as many parts as the free rows ask for, each in ascending
  /// order, usually one.
  void run_token(std::size_t layer, const storage::BundleLayout& layout, const FfnParameters& ffn,
                 std::size_t token, std::span<const float> x, std::span<float> y, Stats& stats);

  /// Finds rows for neurons from `at` on, as many as there is room for; returns the end.
  std::size_t place(std::size_t layer, std::span<const NeuronId> ids, std::size_t at);

  /// Tells the cache what was used and what is here now, and makes room for the next reads.
  void remember(std::size_t layer, std::span<const NeuronId> part);

  /// Keeps what the last tokens of a batch used, as far as there are free rows.
  void warm(std::size_t layer, const storage::BundleLayout& layout, const std::byte* data,
            std::size_t first, std::size_t n, std::size_t n_tokens, Stats& stats);

  const storage::BundleFile* file_;
  Parallel* parallel_;
  const Selector* selector_;
  NeuronCache cache_;
  ActiveSets sets_;
  LayerStream stream_;
  NeuronReads reads_;  // after the rows and the staging that it reads into
  GatheredFfn gathered_;
  AlignedBuffer selector_scratch_;
  std::vector<NeuronId> ids_;
  std::vector<NeuronId> miss_ids_;
  std::vector<std::byte*> miss_rows_;
};

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/ffn/windowed_ffn.ipp"
#endif
