// SPDX-License-Identifier: Apache-2.0
/// neuron_cache.hpp: single neurons that are in DRAM because tokens used them (arXiv:2312.11514, section 3.3).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/sparse/eviction.hpp"
#include "flashlm/sparse/neuron_set.hpp"

namespace flashlm::inline v0::sparse {

/// Rows of DRAM for the neurons of all layers, taken once. Which layer has how many follows what its tokens use.
///
/// A neuron is read into a free row and becomes known by `keep`, when its bytes are there: a read that fails changes
/// nothing. Rows are freed after a step's reads, not before, so that there is always room for the next ones; how much
/// follows what the last steps needed. Where not even one token's neurons fit, policies that go by time would find
/// nothing that they kept: then nothing is kept (`window` is 0), and every neuron passes through.
/// Allocates when constructed. Not thread-safe.
class NeuronCache {
 public:
  using Row = std::uint32_t;
  static constexpr Row kNoRow = ~Row{0};

  /// neurons [n_layers]; n_rows >= 1 rows of `row_bytes` each.
  NeuronCache(std::span<const std::size_t> neurons, std::size_t n_rows, std::size_t row_bytes, Eviction eviction)
      : eviction_(eviction), row_bytes_(row_bytes), memory_(n_rows * row_bytes), owners_(n_rows) {
    if (n_rows == 0) throw ShapeError("[neuron_cache] rows: expected 1 or more, got 0");
    for (const std::size_t n : neurons) layers_.push_back({std::vector<Entry>(n)});
    for (std::size_t row = n_rows; row > 0; --row) free_.push_back(static_cast<Row>(row - 1));
    candidates_.reserve(n_rows);
    victims_.reserve(n_rows);
  }

  /// Bytes that an object of that shape holds, beside the rows themselves.
  static std::size_t index_bytes(std::size_t n_neurons, std::size_t n_rows) noexcept {
    return n_neurons * sizeof(Entry) + n_rows * (sizeof(Owner) + sizeof(Row) + 2 * sizeof(Candidate));
  }

  /// A token begins: time passes, and what has left a window of fixed length leaves DRAM.
  void begin_token() {
    ++now_;
    working_set_ = std::exchange(used_, 0);
    demand_ -= demand_ / 16;
    const auto* window = std::get_if<WindowEviction>(&eviction_);
    if (window == nullptr || window->n_tokens == 0) return;
    for (Row row = 0; row < owners_.size(); ++row) {
      if (owners_[row].is_used && entry(row).used + window->n_tokens < now_) evict(row);
    }
  }

  /// The row of a neuron, or kNoRow.
  Row find(std::size_t layer, NeuronId neuron) const noexcept { return layers_[layer].entries[neuron].row; }
  std::byte* data(Row row) noexcept { return memory_.data() + row * row_bytes_; }
  std::size_t row_bytes() const noexcept { return row_bytes_; }

  std::size_t n_rows() const noexcept { return owners_.size(); }
  /// Rows that hold nothing.
  std::size_t n_free() const noexcept { return free_.size(); }
  /// The row that the next `keep` but `index` takes; index < n_free().
  Row free_row(std::size_t index) const noexcept { return free_[free_.size() - 1 - index]; }

  /// This token uses a neuron, whether it is here or not.
  void use(std::size_t layer, NeuronId neuron) noexcept {
    Entry& used = layers_[layer].entries[neuron];
    used.key = std::visit([&](const auto& one) { return one.used(used.key, now_); }, eviction_);
    used.used = now_;
    ++used_;
  }

  /// The next free row holds that neuron from now on.
  void keep(std::size_t layer, NeuronId neuron) {
    FLASHLM_ASSERT(!free_.empty() && find(layer, neuron) == kNoRow);
    const Row row = free_.back();
    free_.pop_back();
    layers_[layer].entries[neuron].row = row;
    owners_[row] = {static_cast<std::uint32_t>(layer), neuron, true};
  }

  /// Frees rows until those that `wanted` reads at once may need are free, or as many as there should be.
  void make_room(std::size_t wanted) {
    demand_ = std::max(demand_, wanted + wanted / 4);
    const std::size_t most = keeps_nothing() ? n_rows() : std::max<std::size_t>(1, n_rows() / 2);
    const std::size_t target = keeps_nothing() ? most : std::clamp<std::size_t>(demand_, 1, most);
    while (free_.size() < target) make_room_for_one();
  }

  /// Keeps `n_rows` rows, one or more, and gives the memory behind them back to the system. Neurons leave by their keys
  /// until the others fit. Pointers to rows are not good any more.
  void shrink(std::size_t n_rows) {
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

  /// Whether rows are only passed through: by the policy, or since it would find nothing that it kept.
  bool keeps_nothing() const noexcept {
    if (std::holds_alternative<NoEviction>(eviction_)) return true;
    const bool by_time =
        std::holds_alternative<WindowEviction>(eviction_) || std::holds_alternative<LruEviction>(eviction_);
    return by_time && std::max(working_set_, used_) > n_rows();
  }

  /// Neurons that had to leave, since the beginning.
  std::uint64_t evictions() const noexcept { return evictions_; }
  /// Tokens since the last one that left was used: the length of the window that fits.
  std::uint32_t window() const noexcept {
    if (keeps_nothing()) return 0;
    const std::uint32_t fits = window_ == 0 ? now_ : window_;
    const auto* fixed = std::get_if<WindowEviction>(&eviction_);
    return fixed != nullptr && fixed->n_tokens != 0 ? std::min(fits, fixed->n_tokens) : fits;
  }

 private:
  struct Entry {
    Row row = kNoRow;
    std::uint32_t used = 0;  // the last token that used it
    float key = 0;
  };
  struct Layer {
    std::vector<Entry> entries;  // [n_neurons]
  };
  struct Owner {
    std::uint32_t layer = 0;
    NeuronId neuron = 0;
    bool is_used = false;
  };
  struct Candidate {
    float key;
    Row row;
  };

  Entry& entry(Row row) noexcept { return layers_[owners_[row].layer].entries[owners_[row].neuron]; }

  /// Evicts the next victim, unless it was used again since it was found.
  void make_room_for_one() {
    if (victims_.empty()) find_victims();
    const Candidate victim = victims_.back();
    victims_.pop_back();
    if (!owners_[victim.row].is_used || entry(victim.row).key != victim.key) return;
    window_ = now_ - entry(victim.row).used;
    evict(victim.row);
  }

  void evict(Row row) {
    entry(row).row = kNoRow;
    owners_[row].is_used = false;
    free_.push_back(row);
    ++evictions_;
  }

  /// The rows that leave next, in the order in which they stand from the back: a sixteenth of all, since looking at all
  /// keys costs time.
  void find_victims() {
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

  Eviction eviction_;
  std::size_t row_bytes_;
  AlignedBuffer memory_;       // [n_rows, row_bytes]
  std::vector<Owner> owners_;  // [n_rows]
  std::vector<Layer> layers_;  // [n_layers]
  std::vector<Row> free_;
  std::vector<Candidate> candidates_;
  std::vector<Candidate> victims_;  // the next one last
  std::uint32_t now_ = 0;           // tokens
  std::size_t demand_ = 0;          // rows that a step's reads need at once, lately
  std::size_t used_ = 0;            // by this token, over all layers
  std::size_t working_set_ = 0;     // of the last token
  std::uint32_t window_ = 0;
  std::uint64_t evictions_ = 0;
};

}  // namespace flashlm::inline v0::sparse
