// SPDX-License-Identifier: Apache-2.0
/// packed_rows.hpp: the paper's own structure for the neurons that are in DRAM (arXiv:2312.11514,
/// section 3.3, fig. 6).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/units/neuron_id.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// The neurons of the last tokens, in rows of each layer that lie next to each other, so that one
/// product multiplies all of them. Every layer has its rows from the beginning: its share of all,
/// by its neurons.
///
/// New ones are appended; those that have left the window are deleted by moving the last rows into
/// their places. Rows run short before a window is full: then the oldest leave. The paper's
/// `num_used` is used(), its `pointer` ids(); its `last_k_active` is the token that used a row
/// last. Each layer counts its own tokens. Allocates when constructed. Not thread-safe.
class PackedRows {
 public:
  static constexpr std::uint32_t kNoRow = ~std::uint32_t{0};

  /// neurons [n_layers]; rows of `row_bytes`, at least one a layer; a window of `n_tokens`.
  PackedRows(std::span<const std::size_t> neurons, std::size_t n_rows, std::size_t row_bytes,
             std::uint32_t n_tokens);

  /// Bytes that an object of that shape holds, beside the rows themselves.
  static std::size_t index_bytes(std::size_t n_neurons, std::size_t n_rows) noexcept;

  std::size_t row_bytes() const noexcept { return row_bytes_; }
  std::size_t capacity(std::size_t layer) const noexcept { return layers_[layer].ids.size(); }
  /// Rows of a layer that hold a neuron: its first ones.
  std::size_t used(std::size_t layer) const noexcept { return layers_[layer].used; }
  std::size_t n_free(std::size_t layer) const noexcept { return capacity(layer) - used(layer); }
  /// [used(layer)]: the neuron of each row, and the bias of its up row.
  std::span<const NeuronId> ids(std::size_t layer) const noexcept;
  std::span<const float> biases(std::size_t layer) const noexcept;
  /// Row `index` of a layer, below capacity(layer); the next one is row_bytes() further.
  std::byte* row(std::size_t layer, std::size_t index) noexcept;
  /// The row of a neuron, or kNoRow.
  std::uint32_t find(std::size_t layer, NeuronId neuron) const noexcept {
    return layers_[layer].rows[neuron];
  }

  /// The row behind the used ones holds that neuron from now on; this token uses it. n_free(layer)
  /// > 0.
  void append(std::size_t layer, NeuronId neuron, float bias);

  /// This token uses a row.
  void use(std::size_t layer, std::uint32_t row) noexcept {
    layers_[layer].used_at[row] = layers_[layer].now;
  }

  /// Deletes the neurons that were not used for longest until `n` rows are free; n <=
  /// capacity(layer).
  void make_room(std::size_t layer, std::size_t n);

  /// A token is through: deletes what no token of the window used, and makes room for the neurons
  /// of the next one, as far as the last ones tell: `n_read` is what this one needed.
  void end_token(std::size_t layer, std::size_t n_read);

  /// Tokens whose neurons are all here now: of the layer where these are fewest.
  std::uint32_t window() const noexcept;
  /// Neurons that had to leave, and rows that were moved into their places, since the beginning.
  std::uint64_t evictions() const noexcept { return evictions_; }
  std::uint64_t moved() const noexcept { return moved_; }

 private:
  struct Layer {
    std::size_t first = 0;               // row of all
    std::size_t used = 0;                // num_used
    std::vector<NeuronId> ids;           // [capacity]: pointer
    std::vector<float> biases;           // [capacity]
    std::vector<std::uint32_t> used_at;  // [capacity]: the last token that used it
    std::vector<std::uint32_t> rows;     // [n_neurons]: of a neuron, or kNoRow
    std::size_t demand = 0;              // rows that a token needs, lately
    std::uint32_t now = 1;               // tokens
    std::uint32_t tight = 0;             // tokens for which there was room
    std::uint32_t window = 0;
  };

  /// Deletes the rows that `leaves_` marks. Each hole is filled with the last row that stays behind
  /// it.
  void remove(Layer& at);

  std::size_t row_bytes_;
  std::uint32_t n_tokens_;
  AlignedBuffer memory_;       // [rows of all layers, row_bytes]
  std::vector<Layer> layers_;  // [n_layers]
  std::vector<char> leaves_;   // [largest capacity]
  std::vector<std::uint32_t> ages_;
  std::uint64_t evictions_ = 0;
  std::uint64_t moved_ = 0;
};

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/packed_rows.ipp"
#endif
