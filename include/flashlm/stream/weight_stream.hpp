// SPDX-License-Identifier: Apache-2.0
/// weight_stream.hpp: hands out the weights of a pass in their order: pinned ones from DRAM, the
/// others as they arrive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/stream/pass_layout.hpp"
#include "flashlm/stream/pending_reads.hpp"
#include "flashlm/stream/pinned_weights.hpp"
#include "flashlm/stream/segment.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::stream {

/// Holds pinned pieces and streams the others, pass after pass, through a ring of slots in big
/// reads ahead of their use.
///
/// Every pass needs every piece, so reading ahead is certain to pay, across the end of a pass too:
/// the first pieces of the next pass are read while the sampler works. Nothing is allocated while
/// passes run. Not thread-safe.
class WeightStream {
 public:
  /// Units [first, first + n) of a segment in DRAM, one behind the other.
  struct Units {
    std::size_t first = 0;
    std::size_t n = 0;
    const std::byte* data = nullptr;
    bool pinned = false;
  };

  /// `pinned` [n_pieces]. An empty ring fits a model that is pinned whole; else it needs two slots
  /// or more of `layout->slot_bytes()`. `file_bytes` are the sizes of the reader's files. `reader`
  /// must outlive the stream.
  WeightStream(std::shared_ptr<const PassLayout> layout, storage::Reader& reader,
               std::vector<std::uint64_t> file_bytes, std::vector<bool> pinned, Ring ring,
               Parallel& parallel);

  WeightStream(const WeightStream&) = delete;
  WeightStream& operator=(const WeightStream&) = delete;
  ~WeightStream() { reader_->drain(); }  // `load` may have left reads under way

  /// Reads what is pinned; on_progress(done, total) counts bytes and may throw to stop. Throws
  /// IoError or FormatError.
  void load(const std::function<void(std::size_t, std::size_t)>& on_progress = {});

  /// Begins a pass over the first `n_segments`; what lies behind them is not read for it.
  ///
  /// After `restart`, waits for what is still under way; throws what a hook of the reader throws,
  /// to be called again.
  void begin(std::size_t n_segments);

  /// Calls body(Units) until all units of a segment were handed out, ascending.
  ///
  /// Segments come in the order of a pass, each once; any other order throws Error: results would
  /// be the same, but what was read ahead would be read again. Throws IoError or FormatError if a
  /// read failed, and what `body` throws; call `restart` before the next pass then.
  template <class Body>
  void use(std::size_t segment, Body&& body) {
    enter(segment);
    const std::vector<PassLayout::Part>& parts = layout_->parts();
    const std::size_t end = layout_->first_part(segment + 1);
    for (std::size_t at = layout_->first_part(segment); at < end;) {
      const PassLayout::Part& part = parts[at];
      Units units{part.first, part.n_units, nullptr, pinned_.has(part.piece)};
      units.data = units.pinned ? pinned_.data(part) : take(part.piece) + part.offset;
      // Pinned neighbours lie next to each other: they are one matrix.
      for (++at; units.pinned && at < end && pinned_.has(parts[at].piece); ++at)
        units.n += parts[at].n_units;
      body(std::as_const(units));
      const PassLayout::Piece& piece = layout_->pieces()[part.piece];
      if (!units.pinned && at == piece.first_part + piece.n_parts) release();
    }
  }

  /// The address of one unit if it is pinned, else null.
  const std::byte* find(std::size_t segment, std::size_t unit) const;

  /// Forgets what is under way; the next pass begins at the first segment. Does not wait for a
  /// device that stalls.
  void restart() noexcept { abandoned_ = true; }

  /// Pins fewer pieces: those of `pinned`, a part of what is pinned now. The memory of the others
  /// goes back to the system. Not within a pass.
  void shrink(std::vector<bool> pinned, Ring ring);

  const PassLayout& layout() const noexcept { return *layout_; }
  const std::vector<bool>& pinned() const noexcept { return pinned_.pieces(); }
  /// Bytes that a whole pass takes from flash, alignment included.
  std::uint64_t bytes_per_pass() const noexcept;
  /// Bytes that are read or under way for pieces that nobody has taken yet.
  std::uint64_t bytes_ahead() const noexcept;
  /// Bytes that were read for alignment only, since construction.
  std::uint64_t gap_bytes() const noexcept { return gap_bytes_; }
  /// Seconds that `use` stood still, since construction.
  double waited_seconds() const noexcept { return waited_seconds_; }

 private:
  struct Slot {
    std::size_t piece = 0;
    storage::Ticket ticket = 0;
    std::size_t skew = 0;  // bytes before the piece
  };

  /// Notes that a segment is used. Throws Error unless it is the next of the pass that has units.
  void enter(std::size_t segment);

  std::size_t first_piece(std::size_t segment) const;

  storage::Place around(const storage::Place& place) const noexcept;

  void make_ring(Ring ring);

  /// Waits for reads that nobody wants any more: their buffers are needed.
  void settle();

  /// The bytes of a streamed piece, once they are here. Pieces that nobody wants any more are
  /// passed over.
  const std::byte* take(std::size_t piece);

  /// Gives the taken slot to the next read.
  void release();

  void read_ahead();

  std::shared_ptr<const PassLayout> layout_;
  storage::Reader* reader_;
  std::vector<std::uint64_t> file_bytes_;
  std::size_t unit_;
  PinnedWeights pinned_;
  AlignedBuffer memory_;  // [n_slots, slot_bytes_]
  PendingReads pending_;  // into memory_
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
  std::size_t pass_ = 0;          // the current one; the first is 1
  std::size_t pass_end_ = 0;      // its pieces are below
  std::size_t next_segment_ = 0;  // of it
  bool abandoned_ = false;        // what is under way is for nobody
};

}  // namespace flashlm::inline FLASHLM_ABI::stream

#if !defined(FLASHLM_COMPILED)
#include "flashlm/stream/weight_stream.ipp"
#endif
