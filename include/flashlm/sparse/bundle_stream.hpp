// SPDX-License-Identifier: Apache-2.0
/// bundle_stream.hpp: brings the bundles that are not in DRAM, in big sequential pieces, read ahead of their use.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/storage/bundle_file.hpp"
#include "flashlm/storage/reader.hpp"

namespace flashlm::inline v0::sparse {

/// Reads the tail of every layer, layer after layer and round after round, into a ring of slots.
///
/// A dense model needs every bundle in every pass, so reading ahead is certain to pay, across the end of a pass too:
/// the first pieces of the next pass are read while the head and the sampler work.
/// `file` and `reader` must outlive the stream. Not thread-safe.
class BundleStream {
 public:
  /// Neighbouring bundles of one layer in DRAM: ids [first, first + n_bundles).
  struct Piece {
    std::size_t layer = 0;
    std::size_t first = 0;
    std::size_t n_bundles = 0;
    const std::byte* data = nullptr;  // [n_bundles, stride]
  };

  /// A ring of `n_slots` slots of `slot_bytes` each.
  struct Ring {
    std::size_t n_slots = 0;
    std::size_t slot_bytes = 0;
    std::size_t bytes() const noexcept { return n_slots * round_up(slot_bytes, kPageBytes); }
  };

  /// first_streamed [n_layers]: the first bundle of each layer that is not pinned. An empty ring fits a model that is
  /// pinned whole; otherwise it needs two slots or more, each holding at least one bundle.
  BundleStream(const storage::BundleFile& file, storage::Reader& reader, std::span<const std::size_t> first_streamed,
               Ring ring)
      : file_(&file), reader_(&reader), slot_bytes_(round_up(ring.slot_bytes, kPageBytes)) {
    plan(first_streamed);
    if (pieces_.empty()) return;
    if (ring.n_slots < 2) throw ShapeError(concat("[bundle_stream] slots: expected 2 or more, got ", ring.n_slots));
    slots_.resize(ring.n_slots);
    memory_ = AlignedBuffer(ring.bytes());
  }

  BundleStream(storage::BundleFile&& file, storage::Reader& reader, std::span<const std::size_t> first_streamed,
               Ring ring) = delete;
  BundleStream(const BundleStream&) = delete;
  BundleStream& operator=(const BundleStream&) = delete;
  ~BundleStream() { reader_->drain(); }

  /// The next piece in order, once it is here. It stays valid until `release`.
  ///
  /// Throws IoError or FormatError if its read failed; call `restart` before the next pass then.
  Piece next() {
    FLASHLM_ASSERT(!pieces_.empty());
    read_ahead();
    Slot& slot = slots_[taken_ % slots_.size()];
    const double start = now_seconds();
    reader_->wait(slot.ticket);
    waited_seconds_ += now_seconds() - start;
    Piece piece = pieces_[taken_ % pieces_.size()];
    piece.data = slot_data(taken_);
    ++taken_;
    return piece;
  }

  /// Gives the oldest piece's slot to the next read.
  void release() {
    ++released_;
    read_ahead();
  }

  /// Forgets what is under way and begins at the first layer again.
  void restart() noexcept {
    reader_->drain();
    submitted_ = taken_ = released_ = 0;
  }

  /// Whether the next piece is the first of a pass.
  bool at_start() const noexcept { return pieces_.empty() || taken_ % pieces_.size() == 0; }

  /// Bytes that a pass takes from flash, before alignment.
  std::size_t bytes_per_pass() const noexcept { return bytes_per_pass_; }
  /// Bytes that are read or under way for pieces that nobody has taken yet.
  std::size_t bytes_ahead() const noexcept {
    std::size_t bytes = 0;
    for (std::size_t at = taken_; at < submitted_; ++at) bytes += piece_bytes(pieces_[at % pieces_.size()]);
    return bytes;
  }
  /// Seconds that `next` stood still, since construction.
  double waited_seconds() const noexcept { return waited_seconds_; }

 private:
  struct Slot {
    storage::Ticket ticket = 0;
  };

  std::size_t piece_bytes(const Piece& piece) const noexcept {
    return piece.n_bundles * file_->layout(piece.layer).stride;
  }

  std::byte* slot_data(std::size_t at) noexcept { return memory_.data() + at % slots_.size() * slot_bytes_; }

  void plan(std::span<const std::size_t> first_streamed) {
    for (std::size_t layer = 0; layer < file_->n_layers(); ++layer) {
      const storage::BundleLayout& layout = file_->layout(layer);
      const std::size_t most = slot_bytes_ / layout.stride;
      for (std::size_t first = first_streamed[layer]; first < layout.n_bundles();) {
        if (most == 0) {
          throw ShapeError(concat("[bundle_stream] slot: expected at least one bundle of ", layout.stride,
                                  " bytes, got ", slot_bytes_, " bytes (layer ", layer, ")"));
        }
        const std::size_t n_bundles = std::min(most, layout.n_bundles() - first);
        pieces_.push_back({layer, first, n_bundles, nullptr});
        bytes_per_pass_ += n_bundles * layout.stride;
        first += n_bundles;
      }
    }
  }

  void read_ahead() {
    while (submitted_ < released_ + slots_.size()) {
      const Piece& piece = pieces_[submitted_ % pieces_.size()];
      const storage::Place place = file_->locate(piece.layer, piece.first, piece.n_bundles);
      const storage::Read read{place.file, place.extent.offset, {slot_data(submitted_), place.extent.bytes}};
      slots_[submitted_ % slots_.size()].ticket = reader_->submit({&read, 1});
      ++submitted_;
    }
  }

  const storage::BundleFile* file_;
  storage::Reader* reader_;
  std::size_t slot_bytes_;
  AlignedBuffer memory_;       // [n_slots, slot_bytes_]
  std::vector<Slot> slots_;    // [n_slots]
  std::vector<Piece> pieces_;  // one pass, in the order of use
  std::size_t bytes_per_pass_ = 0;
  double waited_seconds_ = 0;
  // Counted in pieces since the last restart: released <= taken <= submitted <= released + n_slots.
  std::size_t submitted_ = 0;
  std::size_t taken_ = 0;
  std::size_t released_ = 0;
};

}  // namespace flashlm::inline v0::sparse
