// SPDX-License-Identifier: Apache-2.0
/// paper_ffn.hpp: feed-forward networks as the paper computes them: with every row that is in DRAM.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/storage/format/bundle_file.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/units/ffn/layer_stream.hpp"
#include "flashlm/units/ffn/sparse_ffn.hpp"
#include "flashlm/units/neuron_reads.hpp"
#include "flashlm/units/packed_rows.hpp"
#include "flashlm/units/select/active_sets.hpp"
#include "flashlm/units/select/selector.hpp"
#include "flashlm/units/single_neurons.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// How a PaperFfn spends memory and reads.
struct PaperFfnOptions {
  std::size_t max_tokens = 1;
  std::size_t n_rows = 1;      // of neurons, for all layers; at least one a layer
  std::uint32_t n_tokens = 5;  // the window
  std::size_t staging_bytes = std::size_t{4} << 20;
  NeuronReadOptions reads{};
};

/// Selects neurons, appends those that are not in DRAM, and multiplies all that are
/// (arXiv:2312.11514, section 3.3):
///
///     y = sum over the used rows, in their order, of h[row] * down[row]
///
/// This is no exact computation: rows that an earlier token brought count too, and the order is
/// that in which they came, so a result depends on the tokens before, on the budget, and on how a
/// prompt is cut. With an activation that makes zeros, what counts beside the token's own set is
/// what the selector missed. WindowedFfn is the exact one.
///
/// A batch that would need most of a layer streams it, and gives each token its own set.
/// A read that fails leaves the rows of one part as they were; tokens that need more rows than
/// their layer has are done in parts. A step allocates nothing. Not thread-safe.
class PaperFfn {
 public:
  /// `file`, `reader`, `parallel` and `selector` must outlive this object. All bundles hold one
  /// neuron.
  PaperFfn(const storage::BundleFile& file, storage::Reader& reader, Parallel& parallel,
           const Selector& selector, std::size_t selector_scratch_bytes, PaperFfnOptions options);
  PaperFfn(const PaperFfn&) = delete;  // parts point to each other
  PaperFfn& operator=(const PaperFfn&) = delete;

  /// Bytes that an object with no rows holds, beside what the selector needs.
  static std::size_t bytes(const storage::BundleFile& file, const PaperFfnOptions& options);
  /// Bytes of a row and what is known of it.
  static std::size_t row_bytes(const storage::BundleFile& file);

  /// y = the feed-forward network of `layer`, without the bias of down; adds to the statistics of
  /// neurons and times.
  ///
  /// x, y [n_tokens, dim], row-major; y may not overlap x.
  /// Throws IoError or FormatError if a read fails, and what a hook of the reader throws; the next
  /// call works, after it has waited for what is still under way.
  void run(std::size_t layer, const FfnParameters& ffn, std::span<const float> x,
           std::size_t n_tokens, std::span<float> y, Stats& stats);

  /// Waits for reads that a run left under way; throws what a hook of the reader throws.
  void settle();

  const PackedRows& rows() const noexcept { return rows_; }

 private:
  static constexpr std::size_t kRowGrain = 32;     // floats: threads share no cache line of h
  static constexpr std::size_t kColumnGrain = 64;  // floats: whole cache lines of y

  PaperFfn(const SingleNeurons& all, const storage::BundleFile& file, storage::Reader& reader,
           Parallel& parallel, const Selector& selector, std::size_t selector_scratch_bytes,
           PaperFfnOptions options);

  /// One token: usually in one part; in several where a layer has fewer rows than the token needs.
  void run_token(std::size_t layer, const storage::BundleLayout& layout, const FfnParameters& ffn,
                 std::size_t token, std::span<const float> x, std::span<float> y, Stats& stats);

  /// The matrices of rows [begin, end): `index` counts them in a bundle.
  MatrixView matrix(std::size_t layer, const storage::BundleLayout& layout, std::size_t index,
                    std::size_t begin, std::size_t end) noexcept;

  /// h of rows [begin, end), into gates_. The biases of rows that are read just now are known when
  /// they are appended.
  void compute(std::size_t layer, const storage::BundleLayout& layout, const FfnParameters& ffn,
               std::size_t first, std::size_t last, std::span<const float> x);

  /// y += h * down over rows [begin, end), in their order.
  void sum(std::size_t layer, const storage::BundleLayout& layout, std::size_t begin,
           std::size_t end, std::span<float> y);

  /// Keeps what the last token of a batch used, as far as there are free rows.
  void warm(std::size_t layer, const FfnParameters& ffn, const std::byte* data, std::size_t first,
            std::size_t n, std::size_t token, Stats& stats);

  const storage::BundleFile* file_;
  Parallel* parallel_;
  const Selector* selector_;
  PackedRows rows_;
  ActiveSets sets_;
  LayerStream stream_;
  NeuronReads reads_;  // after the rows and the staging that it reads into
  AlignedBuffer selector_scratch_;
  std::vector<NeuronId> ids_;
  std::vector<float> gates_;  // [most]: h of the rows; without a gate, of up
  std::vector<float> ups_;
  std::vector<NeuronId> miss_ids_;
  std::vector<std::byte*> miss_rows_;
};

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/ffn/paper_ffn.ipp"
#endif
