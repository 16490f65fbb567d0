// SPDX-License-Identifier: Apache-2.0
/// streamed_ffn.hpp: the feed-forward networks of a dense model, a part in DRAM and the rest from
/// flash.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "flashlm/base/stats.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/storage/format/bundle_file.hpp"
#include "flashlm/stream/weight_stream.hpp"
#include "flashlm/units/ffn/sparse_ffn.hpp"
#include "flashlm/units/select/activation_tap.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// Every neuron of every layer, exactly, in the order of their ids: the sum is one chain wherever
/// neurons come from.
///
/// `run` allocates nothing. Not thread-safe.
class StreamedFfn {
 public:
  /// `segments` [n_layers] are those of the layers' bundles in `stream`. `file`, `stream` and
  /// `parallel` must outlive this object; batches of up to `max_tokens`.
  StreamedFfn(const storage::BundleFile& file, stream::WeightStream& stream,
              std::vector<std::size_t> segments, Parallel& parallel, std::size_t max_tokens);

  /// Bytes that an object for these layers holds.
  static std::size_t bytes(const storage::BundleFile& file, std::size_t max_tokens);

  /// y = the feed-forward network of `layer`; adds to hits and misses.
  ///
  /// x, y [n_tokens, dim], row-major; y may not overlap x. Throws IoError; the stream has to be
  /// restarted then.
  void run(std::size_t layer, const FfnParameters& parameters, std::span<const float> x,
           std::size_t n_tokens, std::span<float> y, Stats& stats);

  /// Shows the activations of every layer to `observer` from now on; an empty one ends it. Throws
  /// std::bad_alloc.
  void observe(ActivationTap::Observer observer);

 private:
  /// The dim of layers that are quantised; 0 if none is.
  static std::size_t quantised_dim(const storage::BundleFile& file);

  const storage::BundleFile* file_;
  stream::WeightStream* stream_;
  std::vector<std::size_t> segments_;  // [n_layers]
  std::size_t max_tokens_;
  SparseFfn ffn_;
  std::unique_ptr<ActivationTap> tap_;  // null unless somebody observes
};

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/ffn/streamed_ffn.ipp"
#endif
