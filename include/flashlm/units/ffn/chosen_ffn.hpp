// SPDX-License-Identifier: Apache-2.0
/// chosen_ffn.hpp: feed-forward networks of which each token gets the neurons that a selector
/// chose, from DRAM or from flash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/storage/format/bundle_file.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/units/eviction.hpp"
#include "flashlm/units/ffn/layer_stream.hpp"
#include "flashlm/units/ffn_parameters.hpp"
#include "flashlm/units/neuron_id.hpp"
#include "flashlm/units/neuron_reads.hpp"
#include "flashlm/units/select/active_sets.hpp"
#include "flashlm/units/select/selector.hpp"
#include "flashlm/units/single_neurons.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// How a ChosenFfn spends memory and reads.
struct ChosenFfnOptions {
  std::size_t max_tokens = 1;
  std::size_t n_rows = 1;  // of neurons, for all layers; the policy paper needs one a layer
  std::size_t staging_bytes = std::size_t{4} << 20;
  Eviction eviction{};
  NeuronReadOptions reads{};
};

/// The layer whose network is computed.
struct FfnLayer {
  std::size_t index;
  const storage::BundleLayout& layout;
  const FfnParameters& parameters;
};

/// Neurons that are read, ascending, and the rows that they are read into.
struct MissingNeurons {
  std::vector<NeuronId> ids;
  std::vector<std::byte*> rows;
};

/// Selects neurons, reads those that are not in DRAM while it computes with those that are, and
/// adds up.
///
/// `Rows` keeps neurons between tokens and computes with them: WindowedRows exactly, PaperRows as
/// the paper does. It has, for one token, in this order:
///
///     begin_token(layer, ids)       these neurons were chosen, ascending
///     next(layer, missing)          the next part of them, and what of it has to be read; false
///                                   when all parts are done
///     compute_present(layer, x)     with what is in DRAM, while the others are read
///     compute_arrived(layer, x)     with the others
///     sum(layer, y)                 y += the part
///     keep(layer, missing)          what was used, and is in DRAM from now on
///     end_token(layer)
///
/// and `warm` for neurons that a whole layer brought along. One token goes neuron by neuron, in as
/// many parts as the free rows ask for, usually one. A batch streams whole layers in big pieces
/// where that is less work, and gives each token its own set all the same. A read that fails leaves
/// what is in DRAM as it was. A step allocates nothing. Not thread-safe.
template <class Rows>
class ChosenFfn {
 public:
  /// `file`, `reader`, `parallel` and `selector` must outlive this object. All bundles hold one
  /// neuron.
  ChosenFfn(const storage::BundleFile& file, storage::Reader& reader, Parallel& parallel,
            const Selector& selector, std::size_t selector_scratch_bytes,
            const ChosenFfnOptions& options);
  ChosenFfn(const ChosenFfn&) = delete;  // parts point to each other
  ChosenFfn& operator=(const ChosenFfn&) = delete;

  /// Bytes that an object with no rows holds, beside what the selector needs.
  static std::size_t bytes(const storage::BundleFile& file, const ChosenFfnOptions& options);
  /// Bytes of a row and what is known of it.
  static std::size_t row_bytes(const storage::BundleFile& file);

  /// y = the feed-forward network of `layer`, without the bias of down; adds to the statistics of
  /// neurons and times.
  ///
  /// x, y [n_tokens, dim], row-major; y may not overlap x. Layers run in order; layer 0 begins a
  /// batch. Throws IoError or FormatError if a read fails, and what a hook of the reader throws;
  /// the next call works, after it has waited for what is still under way.
  void run(std::size_t layer, const FfnParameters& ffn, std::span<const float> x,
           std::size_t n_tokens, std::span<float> y, Stats& stats);

  /// Keeps `n_rows` rows of neurons, one or more; the memory of the others goes back to the system.
  /// False where that needs a new object. Waits for reads that a run left under way; throws what a
  /// hook of the reader throws, with nothing changed. Not within `run`.
  bool shrink(std::size_t n_rows);

  const Rows& rows() const noexcept { return rows_; }

 private:
  ChosenFfn(const SingleNeurons& all, const storage::BundleFile& file, storage::Reader& reader,
            Parallel& parallel, const Selector& selector, std::size_t selector_scratch_bytes,
            const ChosenFfnOptions& options);

  /// Waits for reads that a run left under way; throws what a hook of the reader throws.
  void settle();

  void run_token(const FfnLayer& layer, std::size_t token, std::span<const float> x,
                 std::span<float> y, Stats& stats);

  /// Reads what is missing, and calls `meanwhile`.
  template <class Meanwhile>
  void read(std::size_t layer, Stats& stats, Meanwhile&& meanwhile);

  const storage::BundleFile* file_;
  Parallel* parallel_;
  const Selector* selector_;
  Rows rows_;
  ActiveSets sets_;
  LayerStream stream_;
  NeuronReads reads_;  // after the rows and the staging that it reads into
  AlignedBuffer selector_scratch_;
  std::vector<NeuronId> ids_;  // of a token
  MissingNeurons missing_;     // of a part
};

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/ffn/chosen_ffn.ipp"
#endif
