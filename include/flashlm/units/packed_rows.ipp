// SPDX-License-Identifier: Apache-2.0
/// packed_rows.ipp: the bodies of packed_rows.hpp.
#pragma once

#include "flashlm/units/packed_rows.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_ONCE PackedRows::PackedRows(std::span<const std::size_t> neurons, std::size_t n_rows,
                                    std::size_t row_bytes, std::uint32_t n_tokens)
    : row_bytes_(row_bytes), n_tokens_(n_tokens) {
  if (n_rows < neurons.size()) {
    throw ShapeError(
        concat("[packed_rows] rows: expected one a layer, ", neurons.size(), ", got ", n_rows));
  }
  std::size_t all = 0, most = 0;
  for (const std::size_t n : neurons) all += n;
  n_rows = std::min(n_rows, all);
  std::size_t left = n_rows;
  for (std::size_t index = 0; index < neurons.size(); ++index) {
    const std::size_t others = neurons.size() - index - 1;  // each of them gets a row at least
    const std::size_t capacity =
        std::clamp<std::size_t>(n_rows * neurons[index] / all, 1, left - others);
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

FLASHLM_INLINE std::size_t PackedRows::index_bytes(std::size_t n_neurons,
                                                   std::size_t n_rows) noexcept {
  return n_neurons * sizeof(std::uint32_t) +
         n_rows * (sizeof(NeuronId) + sizeof(float) + 2 * sizeof(std::uint32_t) + 1);
}

FLASHLM_INLINE std::span<const NeuronId> PackedRows::ids(std::size_t layer) const noexcept {
  return std::span(layers_[layer].ids).first(used(layer));
}

FLASHLM_INLINE std::span<const float> PackedRows::biases(std::size_t layer) const noexcept {
  return std::span(layers_[layer].biases).first(used(layer));
}

FLASHLM_INLINE std::byte* PackedRows::row(std::size_t layer, std::size_t index) noexcept {
  return memory_.data() + (layers_[layer].first + index) * row_bytes_;
}

FLASHLM_INLINE void PackedRows::append(std::size_t layer, NeuronId neuron, float bias) {
  Layer& at = layers_[layer];
  FLASHLM_ASSERT(at.used < at.ids.size() && at.rows[neuron] == kNoRow);
  at.rows[neuron] = static_cast<std::uint32_t>(at.used);
  at.ids[at.used] = neuron;
  at.biases[at.used] = bias;
  at.used_at[at.used++] = at.now;
}

FLASHLM_INLINE void PackedRows::make_room(std::size_t layer, std::size_t n) {
  Layer& at = layers_[layer];
  if (n_free(layer) >= n) return;
  const std::size_t surplus = n - n_free(layer);
  FLASHLM_ASSERT(surplus <= at.used);
  std::copy_n(at.used_at.begin(), at.used, ages_.begin());
  std::nth_element(ages_.begin(), ages_.begin() + static_cast<std::ptrdiff_t>(surplus - 1),
                   ages_.begin() + static_cast<std::ptrdiff_t>(at.used));
  const std::uint32_t last = ages_[surplus - 1];
  // Of those that were used at the same time, the last rows leave: nothing has to be moved into
  // them.
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

FLASHLM_INLINE void PackedRows::end_token(std::size_t layer, std::size_t n_read) {
  Layer& at = layers_[layer];
  bool any = false;
  for (std::size_t row = 0; row < at.used; ++row) {
    leaves_[row] = at.now - at.used_at[row] >= n_tokens_;
    any = any || leaves_[row] != 0;
  }
  if (any) remove(at);
  at.demand = std::max(at.demand - at.demand / 16, n_read + n_read / 4);
  const std::size_t others = at.rows.size() - at.used,
                    half = std::max<std::size_t>(1, capacity(layer) / 2);
  make_room(layer, std::min({at.demand, half, others}));
  at.window = std::min(at.tight, at.now);
  at.tight = n_tokens_;
  ++at.now;
}

FLASHLM_INLINE std::uint32_t PackedRows::window() const noexcept {
  std::uint32_t least = n_tokens_;
  for (const Layer& layer : layers_) least = std::min(least, layer.window);
  return least;
}

FLASHLM_INLINE void PackedRows::remove(Layer& at) {
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

}  // namespace flashlm::inline FLASHLM_ABI::units
