// SPDX-License-Identifier: Apache-2.0
/// pass_layout.hpp: the weights of a pass in their order, cut into pieces that are pinned or
/// streamed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/storage/io/extent.hpp"
#include "flashlm/stream/segment.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::stream {

/// Cuts segments into pieces that are read with one request each. Cuts are between units, so they
/// change no sum.
///
/// A piece may hold the end of one segment and the beginning of the next, where both are neighbours
/// in a file. Every byte has an address in an *arena*, in which neighbours in a file are neighbours
/// too, at the same place within a page: what is pinned can be read there directly, and
/// neighbouring pinned pieces are one matrix. Immutable. Thread-safe.
class PassLayout {
 public:
  /// Some units of a segment within a piece.
  struct Part {
    std::size_t segment = 0;
    std::size_t piece = 0;
    std::size_t first = 0;  // unit
    std::size_t n_units = 0;
    std::size_t offset = 0;  // bytes from the beginning of the piece
  };
  struct Piece {
    storage::Place place;
    std::size_t at = 0;  // in the arena
    std::size_t first_part = 0;
    std::size_t n_parts = 0;
  };
  /// What stays in DRAM: which pieces, and how many bytes their pages take.
  struct Pinned {
    std::vector<bool> pieces;
    std::uint64_t bytes = 0;
  };

  /// The first `n_passed` segments are needed by every pass, in this order; units of the others are
  /// asked for by number. A piece has at most `piece_bytes`, or one unit.
  PassLayout(std::vector<Segment> segments, std::size_t n_passed, std::size_t piece_bytes);

  const std::vector<Segment>& segments() const noexcept { return segments_; }
  const std::vector<Piece>& pieces() const noexcept { return pieces_; }
  const std::vector<Part>& parts() const noexcept { return parts_; }
  std::size_t n_passed() const noexcept { return n_passed_; }
  /// Pieces that a pass needs; those of other segments come behind.
  std::size_t n_passed_pieces() const noexcept { return n_passed_pieces_; }
  /// The first of the parts of a segment; of `segments().size()`: the number of parts.
  std::size_t first_part(std::size_t segment) const { return first_part_[segment]; }
  /// The part that holds a unit.
  const Part& part_of(std::size_t segment, std::size_t unit) const;

  /// Bytes of addresses that the arena needs.
  std::size_t arena_bytes() const noexcept { return round_up(arena_end_, kPageBytes); }
  /// Bytes of a buffer that holds any piece, wherever it begins within a page.
  std::size_t slot_bytes() const noexcept {
    return round_up(largest_piece_, kPageBytes) + kPageBytes;
  }

  /// Which pages of the arena hold bytes of the chosen pieces.
  std::vector<bool> pages(const std::vector<bool>& chosen) const;

  /// Bytes of the pages of everything.
  std::uint64_t all_bytes() const;

  /// Pins pieces for `spare` bytes. Of pieces that a pass needs, those that stay are spread evenly
  /// over the pass, in stretches of some neighbours: then computing them takes as long everywhere,
  /// and hides the reading of the others. What is only asked for by number comes last: pinning it
  /// saves some units a pass, not all its bytes. `among`: only of these, or null for all.
  Pinned pin(std::uint64_t spare, std::size_t stretch,
             const std::vector<bool>* among = nullptr) const;

 private:
  void add(std::size_t index, std::size_t piece_bytes);

  /// Pieces in the order in which they are pinned; every beginning of it is spread evenly.
  std::vector<std::size_t> order(std::size_t stretch) const;

  static std::pair<std::size_t, std::size_t> pages_of(const Piece& piece) noexcept;
  static void cover(const Piece& piece, std::vector<bool>& pages);
  static std::size_t new_pages(const Piece& piece, const std::vector<bool>& pages);

  std::vector<Segment> segments_;
  std::size_t n_passed_;
  std::vector<Piece> pieces_;
  std::vector<Part> parts_;
  std::vector<std::size_t> first_part_;  // [n_segments + 1]
  std::size_t n_passed_pieces_ = 0;
  std::size_t largest_piece_ = 0;
  std::size_t arena_end_ = 0;
};

/// Calls body(offset, bytes) for every run of chosen pages.
template <class Body>
void for_page_runs(const std::vector<bool>& pages, Body&& body) {
  for (auto at = pages.begin(); at != pages.end();) {
    const auto begin = std::find(at, pages.end(), true);
    at = std::find(begin, pages.end(), false);
    if (begin == at) return;
    body(static_cast<std::size_t>(begin - pages.begin()) * kPageBytes,
         static_cast<std::size_t>(at - begin) * kPageBytes);
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::stream

#if !defined(FLASHLM_COMPILED)
#include "flashlm/stream/pass_layout.ipp"
#endif
