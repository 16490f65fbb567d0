// SPDX-License-Identifier: Apache-2.0
/// weight_stream.hpp: hands out the weights of a pass in their order: pinned ones from DRAM, the others as they arrive.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/parallel.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/sparse/pass_layout.hpp"
#include "flashlm/sparse/pinned_weights.hpp"
#include "flashlm/storage/reader.hpp"

namespace flashlm::inline v0::sparse {

/// Holds pinned pieces and streams the others, pass after pass, through a ring of slots in big reads ahead of their
/// use.
///
/// Every pass needs every piece, so reading ahead is certain to pay, across the end of a pass too: the first pieces of
/// the next pass are read while the sampler works. Nothing is allocated while passes run. Not thread-safe.
class WeightStream {
 public:
  /// `n_slots` buffers of `slot_bytes` each.
  struct Ring {
    std::size_t n_slots = 0;
    std::size_t slot_bytes = 0;
    std::size_t bytes() const noexcept { return n_slots * round_up(slot_bytes, kPageBytes); }
  };

  /// Units [first, first + n) of a segment in DRAM, one behind the other.
  struct Units {
    std::size_t first = 0;
    std::size_t n = 0;
    const std::byte* data = nullptr;
    bool pinned = false;
  };

  /// `pinned` [n_pieces]. An empty ring fits a model that is pinned whole; else it needs two slots or more of
  /// `layout->slot_bytes()`. `file_bytes` are the sizes of the reader's files. `reader` must outlive the stream.
  WeightStream(std::shared_ptr<const PassLayout> layout, storage::Reader& reader, std::vector<std::uint64_t> file_bytes,
               std::vector<bool> pinned, Ring ring, Parallel& parallel)
      : layout_(std::move(layout)),
        reader_(&reader),
        file_bytes_(std::move(file_bytes)),
        unit_(std::min(reader.alignment(), kPageBytes)),
        pinned_(*layout_, std::move(pinned), parallel) {
    make_ring(ring);
  }

  WeightStream(const WeightStream&) = delete;
  WeightStream& operator=(const WeightStream&) = delete;
  ~WeightStream() { reader_->drain(); }

  /// Reads what is pinned; on_progress(done, total) counts bytes and may throw to stop. Throws IoError or FormatError.
  void load(const std::function<void(std::size_t, std::size_t)>& on_progress = {}) {
    pinned_.load(*reader_, file_bytes_, on_progress);
  }

  /// Begins a pass over the first `n_segments`; what lies behind them is not read for it.
  ///
  /// After `restart`, waits for what is still under way; throws what a hook of the reader throws, to be called again.
  void begin(std::size_t n_segments) {
    settle();
    ++pass_;
    next_pass_ = std::max(next_pass_, pass_);
    pass_end_ = n_segments < layout_->n_passed() ? first_piece(n_segments) : layout_->n_passed_pieces();
    read_ahead();
  }

  /// Calls body(Units) until all units of a segment were handed out, ascending. Segments come in the order of a pass.
  ///
  /// Throws IoError or FormatError if a read failed, and what `body` throws; call `restart` before the next pass then.
  template <class Body>
  void use(std::size_t segment, Body&& body) {
    const std::vector<PassLayout::Part>& parts = layout_->parts();
    const std::size_t end = layout_->first_part(segment + 1);
    for (std::size_t at = layout_->first_part(segment); at < end;) {
      const PassLayout::Part& part = parts[at];
      Units units{part.first, part.n_units, nullptr, pinned_.has(part.piece)};
      units.data = units.pinned ? pinned_.data(part) : take(part.piece) + part.offset;
      // Pinned neighbours lie next to each other: they are one matrix.
      for (++at; units.pinned && at < end && pinned_.has(parts[at].piece); ++at) units.n += parts[at].n_units;
      body(std::as_const(units));
      const PassLayout::Piece& piece = layout_->pieces()[part.piece];
      if (!units.pinned && at == piece.first_part + piece.n_parts) release();
    }
  }

  /// The address of one unit if it is pinned, else null.
  const std::byte* find(std::size_t segment, std::size_t unit) const {
    const PassLayout::Part& part = layout_->part_of(segment, unit);
    if (!pinned_.has(part.piece)) return nullptr;
    return pinned_.data(part) + (unit - part.first) * layout_->segments()[segment].unit_bytes;
  }

  /// Forgets what is under way; the next pass begins at the first segment. Does not wait for a device that stalls.
  void restart() noexcept { abandoned_ = true; }

  /// Pins fewer pieces: those of `pinned`, a part of what is pinned now. The memory of the others goes back to the
  /// system. Not within a pass.
  void shrink(std::vector<bool> pinned, Ring ring) {
    if (pinned == pinned_.pieces() && ring.n_slots == slots_.size() && ring.bytes() == memory_.size()) return;
    restart();
    settle();
    pinned_.shrink(std::move(pinned));
    make_ring(ring);
  }

  const PassLayout& layout() const noexcept { return *layout_; }
  const std::vector<bool>& pinned() const noexcept { return pinned_.pieces(); }
  /// Bytes that a whole pass takes from flash, alignment included.
  std::uint64_t bytes_per_pass() const noexcept {
    std::uint64_t bytes = 0;
    for (const std::size_t piece : streamed_) bytes += around(layout_->pieces()[piece].place).extent.bytes;
    return bytes;
  }
  /// Bytes that are read or under way for pieces that nobody has taken yet.
  std::uint64_t bytes_ahead() const noexcept {
    std::uint64_t bytes = 0;
    for (std::size_t at = released_ + (taken_ ? 1 : 0); at < submitted_; ++at) {
      bytes += around(layout_->pieces()[slots_[at % slots_.size()].piece].place).extent.bytes;
    }
    return bytes;
  }
  /// Bytes that were read for alignment only, since construction.
  std::uint64_t gap_bytes() const noexcept { return gap_bytes_; }
  /// Seconds that `use` stood still, since construction.
  double waited_seconds() const noexcept { return waited_seconds_; }

 private:
  struct Slot {
    std::size_t piece = 0;
    storage::Ticket ticket = 0;
    std::size_t skew = 0;  // bytes before the piece
    bool open = false;     // not waited for
  };

  std::size_t first_piece(std::size_t segment) const {
    const std::size_t part = layout_->first_part(segment);
    return part < layout_->parts().size() ? layout_->parts()[part].piece : layout_->pieces().size();
  }

  storage::Place around(const storage::Place& place) const noexcept {
    return whole_units(place, unit_, file_bytes_[place.file]);
  }

  void make_ring(Ring ring) {
    streamed_.clear();
    for (std::size_t piece = 0; piece < layout_->n_passed_pieces(); ++piece) {
      if (!pinned_.has(piece)) streamed_.push_back(piece);
    }
    if (streamed_.empty()) ring = {};
    if (!streamed_.empty() && (ring.n_slots < 2 || ring.slot_bytes < layout_->slot_bytes())) {
      throw ShapeError(concat("[weight_stream] ring: expected 2 or more slots of ", layout_->slot_bytes(),
                              " bytes, got ", ring.n_slots, " of ", ring.slot_bytes));
    }
    if (memory_.size() == ring.bytes() && slots_.size() == ring.n_slots) return;
    slots_.assign(ring.n_slots, {});
    slot_bytes_ = round_up(ring.slot_bytes, kPageBytes);
    memory_ = AlignedBuffer();
    memory_ = AlignedBuffer(ring.bytes());
  }

  void wait(Slot& slot) {
    const double start = now_seconds();
    try {
      reader_->wait(slot.ticket);
    } catch (const Error&) {
      slot.open = false;
      throw;
    }
    slot.open = false;
    waited_seconds_ += now_seconds() - start;
  }

  /// Waits for reads that nobody wants any more: their buffers are needed.
  void settle() {
    if (!abandoned_) return;
    for (Slot& slot : slots_) {
      try {
        if (slot.open) wait(slot);
      } catch (const Error&) {
        // Nobody wants these bytes.
      }
    }
    abandoned_ = false;
    submitted_ = released_ = 0;
    taken_.reset();
    next_ = 0;
    next_pass_ = pass_ + 1;
  }

  /// The bytes of a streamed piece, once they are here. Pieces that nobody wants any more are passed over.
  const std::byte* take(std::size_t piece) {
    if (taken_ && slots_[*taken_].piece != piece) release();
    while (!taken_) {
      read_ahead();
      Slot& slot = slots_[released_ % slots_.size()];
      wait(slot);
      taken_ = released_ % slots_.size();
      if (slot.piece != piece) release();
    }
    return memory_.data() + *taken_ * slot_bytes_ + slots_[*taken_].skew;
  }

  /// Gives the taken slot to the next read.
  void release() {
    taken_.reset();
    ++released_;
    read_ahead();
  }

  void read_ahead() {
    if (streamed_.empty()) return;
    while (submitted_ < released_ + slots_.size()) {
      if (next_ == streamed_.size() || (next_pass_ == pass_ && streamed_[next_] >= pass_end_)) {
        next_ = 0;
        ++next_pass_;
      }
      Slot& slot = slots_[submitted_ % slots_.size()];
      const storage::Place place = layout_->pieces()[streamed_[next_]].place;
      const storage::Place wide = around(place);
      slot.piece = streamed_[next_];
      slot.skew = static_cast<std::size_t>(place.extent.offset - wide.extent.offset);
      const storage::Read read{wide.file,
                               wide.extent.offset,
                               {memory_.data() + submitted_ % slots_.size() * slot_bytes_, wide.extent.bytes}};
      slot.ticket = reader_->submit({&read, 1});
      slot.open = true;
      gap_bytes_ += wide.extent.bytes - place.extent.bytes;
      ++submitted_;
      ++next_;
    }
  }

  std::shared_ptr<const PassLayout> layout_;
  storage::Reader* reader_;
  std::vector<std::uint64_t> file_bytes_;
  std::size_t unit_;
  PinnedWeights pinned_;
  AlignedBuffer memory_;  // [n_slots, slot_bytes_]
  std::size_t slot_bytes_ = 0;
  std::vector<Slot> slots_;            // [n_slots]
  std::vector<std::size_t> streamed_;  // pieces of a pass that are not pinned, in order
  std::uint64_t gap_bytes_ = 0;
  double waited_seconds_ = 0;
  std::optional<std::size_t> taken_;  // the slot that is in use
  // Counted in reads since the last restart: released <= submitted <= released + n_slots.
  std::size_t submitted_ = 0;
  std::size_t released_ = 0;
  std::size_t next_ = 0;  // of streamed_: what is read next, for pass next_pass_
  std::size_t next_pass_ = 1;
  std::size_t pass_ = 0;      // the current one; the first is 1
  std::size_t pass_end_ = 0;  // its pieces are below
  bool abandoned_ = false;    // what is under way is for nobody
};

}  // namespace flashlm::inline v0::sparse
