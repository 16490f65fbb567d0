// SPDX-License-Identifier: Apache-2.0
/// paper_ffn.hpp: sums over chosen neurons as the paper computes them: with every row that is in
/// DRAM.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "flashlm/base/matrix_view.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/units/ffn/chosen_ffn.hpp"
#include "flashlm/units/neuron_id.hpp"
#include "flashlm/units/packed_rows.hpp"
#include "flashlm/units/select/active_sets.hpp"
#include "flashlm/units/single_neurons.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// The rows of a ChosenFfn that appends the neurons that are not in DRAM, and multiplies all that
/// are (arXiv:2312.11514, section 3.3):
///
///     y = sum over the used rows, in their order, of h[row] * down[row]
///
/// This is no exact computation: rows that an earlier token brought count too, and the order is
/// that in which they came, so a result depends on the tokens before, on the budget, and on how a
/// prompt is cut. With an activation that makes zeros, what counts beside the token's own set is
/// what the selector missed. WindowedRows are the exact ones. Not thread-safe.
class PaperRows {
 public:
  /// The policy of `options` is paper.
  PaperRows(const SingleNeurons& all, const ChosenFfnOptions& options, Parallel& parallel);

  /// Bytes that an object with no rows holds.
  static std::size_t bytes(const SingleNeurons& all) noexcept;
  /// Bytes that are known of a row.
  static std::size_t index_bytes() noexcept { return PackedRows::index_bytes(0, 1); }

  const PackedRows& packed() const noexcept { return rows_; }
  std::uint64_t evictions() const noexcept { return rows_.evictions(); }
  std::uint32_t window() const noexcept { return rows_.window(); }
  /// The layers have shared the rows out when they were made: fewer rows need a new object.
  bool shrink(std::size_t /*n_rows*/) noexcept { return false; }

  // A batch, a token, and its parts: chosen_ffn.hpp.
  void begin_batch(const FfnLayer& /*layer*/) noexcept {}
  void begin_token(const FfnLayer& layer, std::span<const NeuronId> ids);
  bool next(const FfnLayer& layer, MissingNeurons& missing);
  void compute_present(const FfnLayer& layer, std::span<const float> x);
  void compute_arrived(const FfnLayer& layer, std::span<const float> x);
  void sum(const FfnLayer& layer, std::span<float> y);
  void keep(const FfnLayer& layer, const MissingNeurons& missing) noexcept;
  void end_token(const FfnLayer& layer) { rows_.end_token(layer.index, absent_.size()); }

  /// Keeps what the last token of a batch used of neurons [first, first + n), which lie at `data`,
  /// as far as there are free rows.
  void warm(const FfnLayer& layer, const std::byte* data, std::size_t first, std::size_t n,
            const ActiveSets& sets, std::size_t n_tokens);
  void end_stream(const FfnLayer& layer) { rows_.end_token(layer.index, 0); }

 private:
  static constexpr std::size_t kRowGrain = 32;  // floats: threads share no cache line of h

  /// Rows [begin, used) are in DRAM, [used, end) are read; those below `begin` are in y.
  struct Part {
    std::size_t begin = 0;
    std::size_t used = 0;
    std::size_t end = 0;
  };

  /// The matrices of rows [begin, end): `index` counts them in a bundle.
  MatrixView matrix(const FfnLayer& layer, std::size_t index, std::size_t begin,
                    std::size_t end) noexcept;

  /// h of rows [first, last), into gates_.
  void compute(const FfnLayer& layer, std::size_t first, std::size_t last,
               std::span<const float> x);

  /// The row behind the used ones holds a neuron from now on.
  void append(const FfnLayer& layer, NeuronId id);

  Parallel* parallel_;
  PackedRows rows_;
  std::vector<NeuronId> absent_;  // of the token's neurons, when it began
  std::size_t n_done_ = 0;        // of these
  bool has_begun_ = false;        // the first part of the token
  Part part_;
  std::vector<float> gates_;  // [most]: h of the rows; without a gate, of up
  std::vector<float> ups_;
};

using PaperFfn = ChosenFfn<PaperRows>;

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/ffn/paper_ffn.ipp"
#endif
