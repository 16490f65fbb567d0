// SPDX-License-Identifier: Apache-2.0
/// neuron_cache.hpp: single neurons that are in DRAM because tokens used them (arXiv:2312.11514,
/// section 3.3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/units/eviction.hpp"
#include "flashlm/units/neuron_id.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// Rows of DRAM for the neurons of all layers, taken once. Which layer has how many follows what
/// its tokens use.
///
/// A neuron is read into a free row and becomes known by `keep`, when its bytes are there: a read
/// that fails changes nothing. Rows are freed after a step's reads, not before, so that there is
/// always room for the next ones; how much follows what the last steps needed. Where not even one
/// token's neurons fit, policies that go by time would find nothing that they kept: then nothing is
/// kept (`window` is 0), and every neuron passes through. Allocates when constructed. Not
/// thread-safe.
class NeuronCache {
 public:
  using Row = std::uint32_t;
  static constexpr Row kNoRow = ~Row{0};

  /// neurons [n_layers]; n_rows >= 1 rows of `row_bytes` each.
  NeuronCache(std::span<const std::size_t> neurons, std::size_t n_rows, std::size_t row_bytes,
              Eviction eviction);

  /// Bytes that an object of that shape holds, beside the rows themselves.
  static std::size_t index_bytes(std::size_t n_neurons, std::size_t n_rows) noexcept;

  /// A token begins: time passes, and what has left a window of fixed length leaves DRAM.
  void begin_token();

  /// The row of a neuron, or kNoRow.
  Row find(std::size_t layer, NeuronId neuron) const noexcept {
    return layers_[layer].entries[neuron].row;
  }
  std::byte* data(Row row) noexcept { return memory_.data() + row * row_bytes_; }
  std::size_t row_bytes() const noexcept { return row_bytes_; }

  std::size_t n_rows() const noexcept { return owners_.size(); }
  /// Rows that hold nothing.
  std::size_t n_free() const noexcept { return free_.size(); }
  /// The row that the next `keep` but `index` takes; index < n_free().
  Row free_row(std::size_t index) const noexcept { return free_[free_.size() - 1 - index]; }

  /// This token uses a neuron, whether it is here or not.
  void use(std::size_t layer, NeuronId neuron) noexcept;

  /// The next free row holds that neuron from now on.
  void keep(std::size_t layer, NeuronId neuron);

  /// Frees rows until those that `wanted` reads at once may need are free, or as many as there
  /// should be.
  void make_room(std::size_t wanted);

  /// Keeps `n_rows` rows, one or more, and gives the memory behind them back to the system. Neurons
  /// leave by their keys until the others fit. Pointers to rows are not good any more.
  void shrink(std::size_t n_rows);

  /// Whether rows are only passed through: by the policy, or since it would find nothing that it
  /// kept.
  bool keeps_nothing() const noexcept;

  /// Neurons that had to leave, since the beginning.
  std::uint64_t evictions() const noexcept { return evictions_; }
  /// Tokens since the last one that left was used: the length of the window that fits.
  std::uint32_t window() const noexcept;

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

  Entry& entry(Row row) noexcept {
    return layers_[owners_[row].layer].entries[owners_[row].neuron];
  }

  /// Evicts the next victim, unless it was used again since it was found.
  void make_room_for_one();

  void evict(Row row);

  /// The rows that leave next, in the order in which they stand from the back: a sixteenth of all,
  /// since looking at all keys costs time.
  void find_victims();

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

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/neuron_cache.ipp"
#endif
