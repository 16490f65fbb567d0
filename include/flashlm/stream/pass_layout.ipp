// SPDX-License-Identifier: Apache-2.0
/// pass_layout.ipp: the bodies of pass_layout.hpp.
#pragma once

#include "flashlm/stream/pass_layout.hpp"

#include <iterator>
#include <numeric>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::stream {

FLASHLM_ONCE PassLayout::PassLayout(std::vector<Segment> segments, std::size_t n_passed,
                                    std::size_t piece_bytes)
    : segments_(std::move(segments)), n_passed_(n_passed) {
  for (std::size_t index = 0; index < segments_.size(); ++index) {
    if (index == n_passed) n_passed_pieces_ = pieces_.size();
    first_part_.push_back(parts_.size());
    add(index, piece_bytes);
  }
  first_part_.push_back(parts_.size());
  if (n_passed >= segments_.size()) n_passed_pieces_ = pieces_.size();
  for (const Piece& piece : pieces_)
    largest_piece_ = std::max<std::size_t>(largest_piece_, piece.place.extent.bytes);
}

FLASHLM_INLINE const PassLayout::Part& PassLayout::part_of(std::size_t segment,
                                                           std::size_t unit) const {
  FLASHLM_ASSERT(unit < segments_[segment].n_units);
  const auto begin = parts_.begin() + static_cast<std::ptrdiff_t>(first_part_[segment]);
  const auto end = parts_.begin() + static_cast<std::ptrdiff_t>(first_part_[segment + 1]);
  return *std::prev(std::upper_bound(begin, end, unit,
                                     [](std::size_t at, const Part& p) { return at < p.first; }));
}

FLASHLM_ONCE std::vector<bool> PassLayout::pages(const std::vector<bool>& chosen) const {
  std::vector<bool> pages(arena_bytes() / kPageBytes);
  for (std::size_t index = 0; index < pieces_.size(); ++index) {
    if (chosen[index]) cover(pieces_[index], pages);
  }
  return pages;
}

FLASHLM_ONCE std::uint64_t PassLayout::all_bytes() const {
  const std::vector<bool> covered = pages(std::vector<bool>(pieces_.size(), true));
  return kPageBytes * static_cast<std::uint64_t>(std::count(covered.begin(), covered.end(), true));
}

FLASHLM_ONCE PassLayout::Pinned PassLayout::pin(std::uint64_t spare, std::size_t stretch,
                                                const std::vector<bool>* among) const {
  Pinned result{std::vector<bool>(pieces_.size()), 0};
  std::vector<bool> covered(arena_bytes() / kPageBytes);
  for (const std::size_t index : order(stretch)) {
    if (among != nullptr && !(*among)[index]) continue;
    const std::uint64_t cost =
        kPageBytes * static_cast<std::uint64_t>(new_pages(pieces_[index], covered));
    if (result.bytes + cost > spare) continue;
    result.bytes += cost;
    result.pieces[index] = true;
    cover(pieces_[index], covered);
  }
  return result;
}

FLASHLM_ONCE void PassLayout::add(std::size_t index, std::size_t piece_bytes) {
  const Segment& segment = segments_[index];
  for (std::size_t first = 0; first < segment.n_units;) {
    const std::uint64_t offset = segment.offset + first * segment.unit_bytes;
    const bool next_to = index != n_passed_ || first != 0;
    Piece* open = pieces_.empty() ? nullptr : &pieces_.back();
    const bool touches =
        open && next_to && open->place.file == segment.file && open->place.extent.end() == offset;
    const std::size_t filled = touches ? open->place.extent.bytes : 0;
    std::size_t n_units = filled < piece_bytes ? (piece_bytes - filled) / segment.unit_bytes : 0;
    if (filled == 0 || n_units == 0) {
      // Neighbours in the file stay neighbours in the arena.
      const std::size_t at = touches ? arena_end_
                                     : round_up(arena_end_, kPageBytes) +
                                           static_cast<std::size_t>(offset % kPageBytes);
      pieces_.push_back({{segment.file, {offset, 0}}, at, parts_.size(), 0});
      n_units = std::max<std::size_t>(1, piece_bytes / segment.unit_bytes);
    }
    n_units = std::min(n_units, segment.n_units - first);
    Piece& piece = pieces_.back();
    parts_.push_back({index, pieces_.size() - 1, first, n_units,
                      static_cast<std::size_t>(piece.place.extent.bytes)});
    piece.place.extent.bytes += n_units * segment.unit_bytes;
    ++piece.n_parts;
    arena_end_ = piece.at + piece.place.extent.bytes;
    first += n_units;
  }
}

FLASHLM_ONCE std::vector<std::size_t> PassLayout::order(std::size_t stretch) const {
  std::vector<std::size_t> order(pieces_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // Multiples of the golden ratio, modulo 1: no two of the first n are nearer than about 1 / n.
  const auto rank = [&](std::size_t piece) {
    return std::uint64_t{piece / stretch} * 0x9E3779B97F4A7C15u;
  };
  std::stable_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n_passed_pieces_),
                   [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
  return order;
}

FLASHLM_INLINE std::pair<std::size_t, std::size_t> PassLayout::pages_of(
    const Piece& piece) noexcept {
  return {piece.at / kPageBytes,
          round_up(piece.at + piece.place.extent.bytes, kPageBytes) / kPageBytes};
}

FLASHLM_ONCE void PassLayout::cover(const Piece& piece, std::vector<bool>& pages) {
  const auto [begin, end] = pages_of(piece);
  std::fill(pages.begin() + static_cast<std::ptrdiff_t>(begin),
            pages.begin() + static_cast<std::ptrdiff_t>(end), true);
}

FLASHLM_INLINE std::size_t PassLayout::new_pages(const Piece& piece,
                                                 const std::vector<bool>& pages) {
  const auto [begin, end] = pages_of(piece);
  return static_cast<std::size_t>(std::count(pages.begin() + static_cast<std::ptrdiff_t>(begin),
                                             pages.begin() + static_cast<std::ptrdiff_t>(end),
                                             false));
}

}  // namespace flashlm::inline FLASHLM_ABI::stream
