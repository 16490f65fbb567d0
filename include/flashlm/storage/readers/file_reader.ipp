// SPDX-License-Identifier: Apache-2.0
/// file_reader.ipp: the bodies of file_reader.hpp.
#pragma once

#include "flashlm/storage/readers/file_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/io/extent.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

FLASHLM_INLINE void FileReader::Patience::wait_on(const FileReader& reader, std::size_t slot) {
  const double seconds = now_seconds() - start_;
  reader.still_waiting(seconds, told_, [&] { return reader.stall_of(slot, seconds); });
}

FLASHLM_INLINE FileReader::FileReader(std::span<const File> files, std::size_t n_tickets)
    : files_(files), batches_(n_tickets) {
  for (const File& file : files) alignment_ = std::max(alignment_, file.alignment());
  free_.reserve(n_tickets);
  for (std::size_t slot = n_tickets; slot > 0; --slot) free_.push_back(slot - 1);
}

FLASHLM_INLINE void FileReader::check(std::span<const Read> reads) const {
  require_own();
  for (const Read& read : reads) {
    if (read.file < files_.size()) continue;
    throw ArgumentError(concat("[", name(), "_reader] file: expected one below ", files_.size(),
                               ", got ", read.file));
  }
}

FLASHLM_INLINE void FileReader::count(const Read& read) noexcept {
  const std::uint64_t moved = file(read).superset({read.offset, read.into.size()}).bytes;
  ++stats_.reads;
  stats_.bytes_read += moved;
  stats_.gap_bytes += moved - read.into.size();
}

FLASHLM_INLINE std::size_t FileReader::open_batch(std::span<const Read> reads) {
  if (free_.empty()) {
    throw ArgumentError(concat("[", name(), "_reader] tickets: expected at most ", batches_.size(),
                               " that are not waited for, got one more"));
  }
  const std::size_t slot = free_.back();
  free_.pop_back();
  batches_[slot].open = true;
  batches_[slot].told = false;
  batches_[slot].pending = 0;
  batches_[slot].first = reads.empty() ? Read{} : reads.front();
  return slot;
}

FLASHLM_INLINE Stall FileReader::stall_of(std::size_t slot, double seconds) const {
  const Read& read = batches_[slot].first;
  return {file(read).path().string(), read.offset, read.into.size(), seconds};
}

FLASHLM_INLINE std::size_t FileReader::slot_of(Ticket ticket) const {
  require_own();
  const std::size_t slot = ticket % batches_.size();
  if (batches_[slot].open && batches_[slot].ticket == ticket / batches_.size()) return slot;
  throw ArgumentError(
      concat("[", name(), "_reader] ticket: expected one that is open, got ", ticket));
}

FLASHLM_INLINE void FileReader::fail(std::size_t slot, std::size_t index,
                                     std::exception_ptr& failure) noexcept {
  Batch& failed = batches_[slot];
  if (failed.failure && failed.failed_read <= index) return;
  std::swap(failed.failure, failure);
  failed.failed_read = index;
}

FLASHLM_INLINE void FileReader::interrupt(std::size_t slot, std::size_t index,
                                          std::exception_ptr thrown) noexcept {
  batches_[slot].interruption = std::move(thrown);
  try {
    throw IoError("[reader] a batch was interrupted", EINTR,
                  file(batches_[slot].first).path().string());
  } catch (...) {
    std::exception_ptr failure = std::current_exception();
    fail(slot, index, failure);
  }
}

FLASHLM_INLINE void FileReader::rethrow_interruption(std::size_t slot) {
  if (batches_[slot].interruption && !batches_[slot].told) {
    batches_[slot].told = true;
    std::rethrow_exception(batches_[slot].interruption);
  }
}

FLASHLM_INLINE std::exception_ptr FileReader::close_batch(std::size_t slot) noexcept {
  Batch& closed = batches_[slot];
  closed.open = false;
  closed.interruption = nullptr;
  ++closed.ticket;
  free_.push_back(slot);
  return std::exchange(closed.failure, nullptr);
}

FLASHLM_INLINE void FileReader::close_batches() noexcept {
  for (std::size_t slot = 0; slot < batches_.size(); ++slot) {
    if (batches_[slot].open) close_batch(slot);
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
