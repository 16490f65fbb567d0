// SPDX-License-Identifier: Apache-2.0
/// weight_stream.ipp: the bodies of weight_stream.hpp.
#pragma once

#include "flashlm/stream/weight_stream.hpp"

#include <algorithm>

#include "flashlm/base/error.hpp"
#include "flashlm/base/stage_clock.hpp"

namespace flashlm::inline FLASHLM_ABI::stream {

FLASHLM_INLINE WeightStream::WeightStream(std::shared_ptr<const PassLayout> layout,
                                          storage::Reader& reader,
                                          std::vector<std::uint64_t> file_bytes,
                                          std::vector<bool> pinned, Ring ring, Parallel& parallel)
    : layout_(std::move(layout)),
      reader_(&reader),
      file_bytes_(std::move(file_bytes)),
      unit_(std::min(reader.alignment(), kPageBytes)),
      pinned_(*layout_, std::move(pinned), parallel),
      pending_(reader, ring.n_slots) {
  make_ring(ring);
}

FLASHLM_INLINE void WeightStream::load(
    const std::function<void(std::size_t, std::size_t)>& on_progress) {
  pinned_.load(*reader_, file_bytes_, on_progress);
}

FLASHLM_INLINE void WeightStream::begin(std::size_t n_segments) {
  settle();
  ++pass_;
  next_segment_ = 0;
  next_pass_ = std::max(next_pass_, pass_);
  pass_end_ =
      n_segments < layout_->n_passed() ? first_piece(n_segments) : layout_->n_passed_pieces();
  read_ahead();
}

FLASHLM_INLINE void WeightStream::enter(std::size_t segment) {
  while (next_segment_ < segment && layout_->segments()[next_segment_].n_units == 0)
    ++next_segment_;
  if (segment != next_segment_) {
    throw Error(concat("[weight_stream] segment: expected ", next_segment_,
                       ", the next of the pass, got ", segment));
  }
  ++next_segment_;
}

FLASHLM_INLINE const std::byte* WeightStream::find(std::size_t segment, std::size_t unit) const {
  const PassLayout::Part& part = layout_->part_of(segment, unit);
  if (!pinned_.has(part.piece)) return nullptr;
  return pinned_.data(part) + (unit - part.first) * layout_->segments()[segment].unit_bytes;
}

FLASHLM_INLINE void WeightStream::shrink(std::vector<bool> pinned, Ring ring) {
  if (pinned == pinned_.pieces() && ring.n_slots == slots_.size() && ring.bytes() == memory_.size())
    return;
  restart();
  settle();
  pinned_.shrink(std::move(pinned));
  make_ring(ring);
}

FLASHLM_INLINE std::uint64_t WeightStream::bytes_per_pass() const noexcept {
  std::uint64_t bytes = 0;
  for (const std::size_t piece : streamed_)
    bytes += around(layout_->pieces()[piece].place).extent.bytes;
  return bytes;
}

FLASHLM_INLINE std::uint64_t WeightStream::bytes_ahead() const noexcept {
  std::uint64_t bytes = 0;
  for (std::size_t at = released_ + (taken_ ? 1 : 0); at < submitted_; ++at) {
    bytes += around(layout_->pieces()[slots_[at % slots_.size()].piece].place).extent.bytes;
  }
  return bytes;
}

FLASHLM_INLINE std::size_t WeightStream::first_piece(std::size_t segment) const {
  const std::size_t part = layout_->first_part(segment);
  return part < layout_->parts().size() ? layout_->parts()[part].piece : layout_->pieces().size();
}

FLASHLM_INLINE storage::Place WeightStream::around(const storage::Place& place) const noexcept {
  return whole_units(place, unit_, file_bytes_[place.file]);
}

FLASHLM_INLINE void WeightStream::make_ring(Ring ring) {
  streamed_.clear();
  for (std::size_t piece = 0; piece < layout_->n_passed_pieces(); ++piece) {
    if (!pinned_.has(piece)) streamed_.push_back(piece);
  }
  if (streamed_.empty()) ring = {};
  if (!streamed_.empty() && (ring.n_slots < 2 || ring.slot_bytes < layout_->slot_bytes())) {
    throw ShapeError(concat("[weight_stream] ring: expected 2 or more slots of ",
                            layout_->slot_bytes(), " bytes, got ", ring.n_slots, " of ",
                            ring.slot_bytes));
  }
  if (memory_.size() == ring.bytes() && slots_.size() == ring.n_slots) return;
  slots_.assign(ring.n_slots, {});
  pending_.reserve(ring.n_slots);
  slot_bytes_ = round_up(ring.slot_bytes, kPageBytes);
  memory_ = AlignedBuffer();
  memory_ = AlignedBuffer(ring.bytes());
}

FLASHLM_INLINE void WeightStream::settle() {
  if (!abandoned_) return;
  {
    const StageClock clock(waited_seconds_);
    pending_.settle();
  }
  abandoned_ = false;
  submitted_ = released_ = 0;
  taken_.reset();
  next_ = 0;
  next_pass_ = pass_ + 1;
}

FLASHLM_INLINE const std::byte* WeightStream::take(std::size_t piece) {
  if (taken_ && slots_[*taken_].piece != piece) release();
  while (!taken_) {
    read_ahead();
    Slot& slot = slots_[released_ % slots_.size()];
    {
      const StageClock clock(waited_seconds_);
      pending_.wait(slot.ticket);
    }
    taken_ = released_ % slots_.size();
    if (slot.piece != piece) release();
  }
  return memory_.data() + *taken_ * slot_bytes_ + slots_[*taken_].skew;
}

FLASHLM_INLINE void WeightStream::release() {
  taken_.reset();
  ++released_;
  read_ahead();
}

FLASHLM_INLINE void WeightStream::read_ahead() {
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
    const storage::Read read{
        wide.file,
        wide.extent.offset,
        {memory_.data() + submitted_ % slots_.size() * slot_bytes_, wide.extent.bytes}};
    slot.ticket = pending_.submit({&read, 1});
    gap_bytes_ += wide.extent.bytes - place.extent.bytes;
    ++submitted_;
    ++next_;
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::stream
