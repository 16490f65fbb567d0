// SPDX-License-Identifier: Apache-2.0
/// pinned_weights.ipp: the bodies of pinned_weights.hpp.
#pragma once

#include "flashlm/stream/pinned_weights.hpp"

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/base/memory/aligned_buffer.hpp"

namespace flashlm::inline FLASHLM_ABI::stream {

FLASHLM_INLINE storage::Place whole_units(const storage::Place& place, std::size_t unit,
                                          std::uint64_t file_bytes) noexcept {
  const storage::Extent wide = place.extent.aligned(unit);
  return {place.file, {wide.offset, std::min(wide.end(), file_bytes) - wide.offset}};
}

namespace detail {

/// Addresses for all weights, whatever of them stays in DRAM.
inline ReservedMemory reserve_addresses(std::size_t bytes) {
  try {
    return ReservedMemory(bytes);
  } catch (const std::bad_alloc&) {
    throw BudgetError(
        concat("[pinned_weights] addresses: expected room for ", bytes,
               " bytes, of which only what stays takes memory, got a refusal of the system. Does ",
               "`ulimit -v` allow less?"),
        bytes);
  }
}

}  // namespace detail

FLASHLM_ONCE PinnedWeights::PinnedWeights(const PassLayout& layout, std::vector<bool> pieces,
                                          Parallel& parallel)
    : layout_(&layout),
      pieces_(std::move(pieces)),
      arena_(detail::reserve_addresses(layout.arena_bytes())) {
  FLASHLM_ASSERT(pieces_.size() == layout.pieces().size());
  for_page_runs(layout.pages(pieces_),
                [&](std::size_t at, std::size_t bytes) { arena_.commit(at, bytes, parallel); });
}

FLASHLM_INLINE const std::byte* PinnedWeights::data(const PassLayout::Part& part) const noexcept {
  return arena_.data() + layout_->pieces()[part.piece].at + part.offset;
}

FLASHLM_ONCE void PinnedWeights::shrink(std::vector<bool> pieces) {
  std::vector<bool> given = layout_->pages(pieces_);
  const std::vector<bool> kept = layout_->pages(pieces);
  for (std::size_t page = 0; page < given.size(); ++page) given[page] = given[page] && !kept[page];
  for_page_runs(given, [&](std::size_t at, std::size_t bytes) { arena_.discard(at, bytes); });
  pieces_ = std::move(pieces);
}

FLASHLM_ONCE void PinnedWeights::load(
    storage::Reader& reader, std::span<const std::uint64_t> file_bytes,
    const std::function<void(std::size_t, std::size_t)>& on_progress) {
  const std::vector<PassLayout::Piece>& pieces = layout_->pieces();
  std::size_t total = 0, done = 0;
  for (std::size_t index = 0; index < pieces.size(); ++index) {
    if (pieces_[index]) total += pieces[index].place.extent.bytes;
  }
  std::array<storage::Read, kLoadReads> reads;
  std::size_t n_reads = 0;
  const auto flush = [&] {
    if (n_reads > 0) reader.wait(reader.submit(std::span(reads).first(n_reads)));
    n_reads = 0;
    if (on_progress) on_progress(done, total);
  };
  for (std::size_t index = 0; index < pieces.size();) {
    if (!pieces_[index]) {
      ++index;
      continue;
    }
    // A run of pinned neighbours, and around it as much as makes whole units of the device: those
    // pages are ours.
    storage::Place run = pieces[index].place;
    const std::size_t at = pieces[index].at;
    for (++index;
         index < pieces.size() && pieces_[index] && pieces[index].at == at + run.extent.bytes &&
         pieces[index].place.file == run.file &&
         pieces[index].place.extent.offset == run.extent.end();
         ++index) {
      run.extent.bytes += pieces[index].place.extent.bytes;
    }
    const storage::Place wide =
        whole_units(run, std::min(reader.alignment(), kPageBytes), file_bytes[run.file]);
    std::byte* const into = arena_.data() + at - (run.extent.offset - wide.extent.offset);
    for (std::size_t from = 0; from < wide.extent.bytes; from += kLoadReadBytes) {
      const std::size_t count = std::min<std::size_t>(kLoadReadBytes, wide.extent.bytes - from);
      reads[n_reads++] = {wide.file, wide.extent.offset + from, {into + from, count}};
      if (n_reads == kLoadReads) {
        flush();
      }
    }
    done += run.extent.bytes;
  }
  done = total;
  flush();
}

}  // namespace flashlm::inline FLASHLM_ABI::stream
