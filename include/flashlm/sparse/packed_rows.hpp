// SPDX-License-Identifier: Apache-2.0
/// packed_rows.hpp: the paper's own structure for the neurons that are in DRAM (arXiv:2312.11514, section 3.3, fig. 6).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/sparse/neuron_set.hpp"

namespace flashlm::inline v0::sparse {

/// The neurons of the last tokens, in rows of each layer that lie next to each other, so that one product multiplies
/// all of them. Every layer has its rows from the beginning: its share of all, by its neurons.
///
/// New ones are appended; those that have left the window are deleted by moving the last rows into their places. Rows
/// run short before a window is full: then the oldest leave. The paper's `num_used` is used(), its `pointer` ids(); its
/// `last_k_active` is the token that used a row last. Each layer counts its own tokens.
/// Allocates when constructed. Not thread-safe.
class PackedRows {
 public:
  static constexpr std::uint32_t kNoRow = ~std::uint32_t{0};

  /// neurons [n_layers]; rows of `row_bytes`, at least one a layer; a window of `n_tokens`.
  PackedRows(std::span<const std::size_t> neurons, std::size_t n_rows, std::size_t row_bytes, std::uint32_t n_tokens)
      : row_bytes_(row_bytes), n_tokens_(n_tokens) {
    if (n_rows < neurons.size()) {
      throw ShapeError(concat("[packed_rows] rows: expected one a layer, ", neurons.size(), ", got ", n_rows));
    }
    std::size_t all = 0, most = 0;
    for (const std::size_t n : neurons) all += n;
    n_rows = std::min(n_rows, all);
    std::size_t left = n_rows;
    for (std::size_t index = 0; index < neurons.size(); ++index) {
      const std::size_t others = neurons.size() - index - 1;  // each of them gets a row at least
      const std::size_t capacity = std::clamp<std::size_t>(n_rows * neurons[index] / all, 1, left - others);
      Layer layer;
      layer.first = n_rows - left;
      layer.ids.resize(capacity);
      layer.used_at.resize(capacity);
      layer.biases.resize(capacity);
      layer.rows.assign(neurons[index], kNoRow);
      layer.tight = n_tokens;
      layers_.push_back(std::move(layer));
      left -= capacity;
      most = std::max(most, capacity);
    }
    memory_ = AlignedBuffer((n_rows - left) * row_bytes);
    leaves_.resize(most);
    ages_.resize(most);
  }

  /// Bytes that an object of that shape holds, beside the rows themselves.
  static std::size_t index_bytes(std::size_t n_neurons, std::size_t n_rows) noexcept {
    return n_neurons * sizeof(std::uint32_t) +
           n_rows * (sizeof(NeuronId) + sizeof(float) + 2 * sizeof(std::uint32_t) + 1);
  }

  std::size_t row_bytes() const noexcept { return row_bytes_; }
  std::size_t capacity(std::size_t layer) const noexcept { return layers_[layer].ids.size(); }
  /// Rows of a layer that hold a neuron: its first ones.
  std::size_t used(std::size_t layer) const noexcept { return layers_[layer].used; }
  std::size_t n_free(std::size_t layer) const noexcept { return capacity(layer) - used(layer); }
  /// [used(layer)]: the neuron of each row, and the bias of its up row.
  std::span<const NeuronId> ids(std::size_t layer) const noexcept {
    return std::span(layers_[layer].ids).first(used(layer));
  }
  std::span<const float> biases(std::size_t layer) const noexcept {
    return std::span(layers_[layer].biases).first(used(layer));
  }
  /// Row `index` of a layer, below capacity(layer); the next one is row_bytes() further.
  std::byte* row(std::size_t layer, std::size_t index) noexcept {
    return memory_.data() + (layers_[layer].first + index) * row_bytes_;
  }
  /// The row of a neuron, or kNoRow.
  std::uint32_t find(std::size_t layer, NeuronId neuron) const noexcept { return layers_[layer].rows[neuron]; }

  /// The row behind the used ones holds that neuron from now on; this token uses it. n_free(layer) > 0.
  void append(std::size_t layer, NeuronId neuron, float bias) {
    Layer& at = layers_[layer];
    FLASHLM_ASSERT(at.used < at.ids.size() && at.rows[neuron] == kNoRow);
    at.rows[neuron] = static_cast<std::uint32_t>(at.used);
    at.ids[at.used] = neuron;
    at.biases[at.used] = bias;
    at.used_at[at.used++] = at.now;
  }

  /// This token uses a row.
  void use(std::size_t layer, std::uint32_t row) noexcept { layers_[layer].used_at[row] = layers_[layer].now; }

  /// Deletes the neurons that were not used for longest until `n` rows are free; n <= capacity(layer).
  void make_room(std::size_t layer, std::size_t n) {
    Layer& at = layers_[layer];
    if (n_free(layer) >= n) return;
    const std::size_t surplus = n - n_free(layer);
    FLASHLM_ASSERT(surplus <= at.used);
    std::copy_n(at.used_at.begin(), at.used, ages_.begin());
    std::nth_element(ages_.begin(), ages_.begin() + static_cast<std::ptrdiff_t>(surplus - 1),
                     ages_.begin() + static_cast<std::ptrdiff_t>(at.used));
    const std::uint32_t last = ages_[surplus - 1];
    // Of those that were used at the same time, the last rows leave: nothing has to be moved into them.
    std::size_t older = 0;
    for (std::size_t row = 0; row < at.used; ++row) older += at.used_at[row] < last ? 1 : 0;
    std::size_t equal = surplus - older;
    for (std::size_t row = at.used; row > 0; --row) {
      const std::uint32_t used_at = at.used_at[row - 1];
      leaves_[row - 1] = used_at < last || (used_at == last && equal > 0 && equal-- > 0);
    }
    at.tight = std::min(at.tight, at.now - last);
    remove(at);
  }

  /// A token is through: deletes what no token of the window used, and makes room for the neurons of the next one,
  /// as far as the last ones tell: `n_read` is what this one needed.
  void end_token(std::size_t layer, std::size_t n_read) {
    Layer& at = layers_[layer];
    bool any = false;
    for (std::size_t row = 0; row < at.used; ++row) {
      leaves_[row] = at.now - at.used_at[row] >= n_tokens_;
      any = any || leaves_[row] != 0;
    }
    if (any) remove(at);
    at.demand = std::max(at.demand - at.demand / 16, n_read + n_read / 4);
    const std::size_t others = at.rows.size() - at.used, half = std::max<std::size_t>(1, capacity(layer) / 2);
    make_room(layer, std::min({at.demand, half, others}));
    at.window = std::min(at.tight, at.now);
    at.tight = n_tokens_;
    ++at.now;
  }

  /// Tokens whose neurons are all here now: of the layer where these are fewest.
  std::uint32_t window() const noexcept {
    std::uint32_t least = n_tokens_;
    for (const Layer& layer : layers_) least = std::min(least, layer.window);
    return least;
  }
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

  /// Deletes the rows that `leaves_` marks. Each hole is filled with the last row that stays behind it.
  void remove(Layer& at) {
    std::size_t stays = 0;
    for (std::size_t row = 0; row < at.used; ++row) {
      if (leaves_[row] != 0) {
        at.rows[at.ids[row]] = kNoRow;
      } else {
        ++stays;
      }
    }
    evictions_ += at.used - stays;
    std::size_t from = at.used;
    for (std::size_t row = 0; row < stays; ++row) {
      if (leaves_[row] == 0) continue;
      do --from;
      while (leaves_[from] != 0);
      std::byte* rows = memory_.data() + at.first * row_bytes_;
      std::memcpy(rows + row * row_bytes_, rows + from * row_bytes_, row_bytes_);
      at.ids[row] = at.ids[from];
      at.biases[row] = at.biases[from];
      at.used_at[row] = at.used_at[from];
      at.rows[at.ids[row]] = static_cast<std::uint32_t>(row);
      ++moved_;
    }
    at.used = stays;
  }

  std::size_t row_bytes_;
  std::uint32_t n_tokens_;
  AlignedBuffer memory_;       // [rows of all layers, row_bytes]
  std::vector<Layer> layers_;  // [n_layers]
  std::vector<char> leaves_;   // [largest capacity]
  std::vector<std::uint32_t> ages_;
  std::uint64_t evictions_ = 0;
  std::uint64_t moved_ = 0;
};

}  // namespace flashlm::inline v0::sparse
