// SPDX-License-Identifier: Apache-2.0
/// neuron_cache.ipp: the bodies of neuron_cache.hpp.
#pragma once

#include "flashlm/units/neuron_cache.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>
#include <variant>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_ONCE NeuronCache::NeuronCache(std::span<const std::size_t> neurons, std::size_t n_rows,
                                      std::size_t row_bytes, Eviction eviction)
    : eviction_(eviction), row_bytes_(row_bytes), memory_(n_rows * row_bytes), owners_(n_rows) {
  if (n_rows == 0) throw ShapeError("[neuron_cache] rows: expected 1 or more, got 0");
  for (const std::size_t n : neurons) layers_.push_back({std::vector<Entry>(n)});
  for (std::size_t row = n_rows; row > 0; --row) free_.push_back(static_cast<Row>(row - 1));
  candidates_.reserve(n_rows);
  victims_.reserve(n_rows);
}

FLASHLM_INLINE std::size_t NeuronCache::index_bytes(std::size_t n_neurons,
                                                    std::size_t n_rows) noexcept {
  return n_neurons * sizeof(Entry) + n_rows * (sizeof(Owner) + sizeof(Row) + 2 * sizeof(Candidate));
}

FLASHLM_INLINE void NeuronCache::begin_token() {
  ++now_;
  working_set_ = std::exchange(used_, 0);
  demand_ -= demand_ / 16;
  const auto* window = std::get_if<WindowEviction>(&eviction_);
  if (window == nullptr || window->n_tokens == 0) return;
  for (Row row = 0; row < owners_.size(); ++row) {
    if (owners_[row].is_used && entry(row).used + window->n_tokens < now_) evict(row);
  }
}

FLASHLM_INLINE void NeuronCache::use(std::size_t layer, NeuronId neuron) noexcept {
  Entry& used = layers_[layer].entries[neuron];
  used.key = std::visit([&](const auto& one) { return one.used(used.key, now_); }, eviction_);
  used.used = now_;
  ++used_;
}

FLASHLM_INLINE void NeuronCache::keep(std::size_t layer, NeuronId neuron) {
  FLASHLM_ASSERT(!free_.empty() && find(layer, neuron) == kNoRow);
  const Row row = free_.back();
  free_.pop_back();
  layers_[layer].entries[neuron].row = row;
  owners_[row] = {static_cast<std::uint32_t>(layer), neuron, true};
}

FLASHLM_INLINE void NeuronCache::make_room(std::size_t wanted) {
  demand_ = std::max(demand_, wanted + wanted / 4);
  const std::size_t most = keeps_nothing() ? n_rows() : std::max<std::size_t>(1, n_rows() / 2);
  const std::size_t target = keeps_nothing() ? most : std::clamp<std::size_t>(demand_, 1, most);
  while (free_.size() < target) make_room_for_one();
}

FLASHLM_INLINE void NeuronCache::shrink(std::size_t n_rows) {
  if (n_rows >= this->n_rows()) return;
  while (this->n_rows() - free_.size() > n_rows) make_room_for_one();
  free_.clear();
  for (Row row = static_cast<Row>(n_rows); row > 0; --row) {
    if (!owners_[row - 1].is_used) free_.push_back(row - 1);
  }
  for (Row row = static_cast<Row>(n_rows); row < owners_.size(); ++row) {
    if (!owners_[row].is_used) continue;
    const Row into = free_.back();
    free_.pop_back();
    std::memcpy(data(into), data(row), row_bytes_);
    entry(row).row = into;
    owners_[into] = owners_[row];
  }
  owners_.resize(n_rows);
  victims_.clear();
  memory_.shrink(n_rows * row_bytes_);
  make_room(0);
}

FLASHLM_INLINE bool NeuronCache::keeps_nothing() const noexcept {
  if (std::holds_alternative<NoEviction>(eviction_)) return true;
  const bool by_time = std::holds_alternative<WindowEviction>(eviction_) ||
                       std::holds_alternative<LruEviction>(eviction_);
  return by_time && std::max(working_set_, used_) > n_rows();
}

FLASHLM_INLINE std::uint32_t NeuronCache::window() const noexcept {
  if (keeps_nothing()) return 0;
  const std::uint32_t fits = window_ == 0 ? now_ : window_;
  const auto* fixed = std::get_if<WindowEviction>(&eviction_);
  return fixed != nullptr && fixed->n_tokens != 0 ? std::min(fits, fixed->n_tokens) : fits;
}

FLASHLM_INLINE void NeuronCache::make_room_for_one() {
  if (victims_.empty()) find_victims();
  const Candidate victim = victims_.back();
  victims_.pop_back();
  if (!owners_[victim.row].is_used || entry(victim.row).key != victim.key) return;
  window_ = now_ - entry(victim.row).used;
  evict(victim.row);
}

FLASHLM_INLINE void NeuronCache::evict(Row row) {
  entry(row).row = kNoRow;
  owners_[row].is_used = false;
  free_.push_back(row);
  ++evictions_;
}

FLASHLM_INLINE void NeuronCache::find_victims() {
  candidates_.clear();
  for (Row row = 0; row < owners_.size(); ++row) {
    if (owners_[row].is_used) candidates_.push_back({entry(row).key, row});
  }
  FLASHLM_ASSERT(!candidates_.empty());
  const std::size_t n = std::min(candidates_.size(), n_rows() / 16 + 1);
  const auto order = [](const Candidate& a, const Candidate& b) {
    return a.key != b.key ? a.key < b.key : a.row < b.row;
  };
  const auto end = candidates_.begin() + static_cast<std::ptrdiff_t>(n);
  std::nth_element(candidates_.begin(), end - 1, candidates_.end(), order);
  std::sort(candidates_.begin(), end, order);
  victims_.assign(std::make_reverse_iterator(end), std::make_reverse_iterator(candidates_.begin()));
}

}  // namespace flashlm::inline FLASHLM_ABI::units
