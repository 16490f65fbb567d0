// SPDX-License-Identifier: Apache-2.0
/// memory_reader.ipp: the bodies of memory_reader.hpp.
#pragma once

#include "flashlm/storage/readers/memory_reader.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

FLASHLM_INLINE MemoryReader::MemoryReader(std::vector<std::vector<std::byte>> files,
                                          std::size_t alignment)
    : files_(std::move(files)), alignment_(alignment) {
  if (!std::has_single_bit(alignment)) {
    throw ArgumentError(
        concat("[memory_reader] alignment: expected a power of two, got ", alignment));
  }
  // So that a test of a loop that allocates nothing can use this reader.
  log_.reserve(std::size_t{1} << 16);
  reads_.reserve(std::size_t{1} << 12);
  batches_.reserve(std::size_t{1} << 10);
}

FLASHLM_INLINE Ticket MemoryReader::submit(std::span<const Read> reads) {
  for (const Read& read : reads) {
    if (read.file >= files_.size()) {
      throw ArgumentError(
          concat("[memory_reader] file: expected one below ", files_.size(), ", got ", read.file));
    }
  }
  const Ticket ticket = next_ticket_++;
  batches_.push_back({ticket, nullptr});
  for (const Read& read : reads) {
    const Extent wanted{read.offset, read.into.size()};
    const Extent around = wanted.aligned(alignment_);
    const std::uint64_t size = files_[read.file].size();
    const std::uint64_t moved =
        std::max(wanted.end(), std::min(around.end(), size)) - around.offset;
    ++stats_.reads;
    stats_.bytes_read += moved;
    stats_.gap_bytes += moved - wanted.bytes;
    log_.push_back({read.file, wanted});
    std::fill(read.into.begin(), read.into.end(), kPoison);
    const bool fails = fail_in_ && (*fail_in_)-- == 0;
    if (fails) fail_in_.reset();
    reads_.push_back({ticket, read, fails ? fail_code_ : 0});
  }
  return ticket;
}

FLASHLM_INLINE void MemoryReader::wait(Ticket ticket) {
  const Read first = first_of(ticket);
  double waited = 0;
  for (bool told = false; stalled_seconds_ > waited;) {
    if (!watched()) break;
    waited += 1;
    still_waiting(waited, told, [&] {
      return Stall{concat("memory file ", first.file), first.offset, first.into.size(), waited};
    });
  }
  stalled_seconds_ = 0;
  release(ticket);
  const auto batch = find(ticket);
  const std::exception_ptr failure = batch->failure;
  batches_.erase(batch);
  if (failure) std::rethrow_exception(failure);
}

FLASHLM_INLINE void MemoryReader::drain() noexcept {
  for (const Pending& pending : reads_) complete(pending);
  reads_.clear();
  batches_.clear();
}

FLASHLM_INLINE void MemoryReader::fail_at(std::uint64_t n, int code) {
  fail_in_ = n;
  fail_code_ = code;
}

FLASHLM_INLINE void MemoryReader::release(Ticket ticket) {
  const auto batch = find(ticket);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < reads_.size(); ++i) {
    if (reads_[i].ticket != ticket) {
      reads_[kept++] = reads_[i];
      continue;
    }
    std::exception_ptr failure = complete(reads_[i]);
    if (failure && !batch->failure) batch->failure = std::move(failure);
  }
  reads_.resize(kept);
}

FLASHLM_INLINE std::vector<MemoryReader::Batch>::iterator MemoryReader::find(Ticket ticket) {
  const auto batch = std::find_if(batches_.begin(), batches_.end(),
                                  [&](const Batch& open) { return open.ticket == ticket; });
  if (batch != batches_.end()) return batch;
  throw ArgumentError(concat("[memory_reader] ticket: expected one that is open, got ", ticket));
}

FLASHLM_INLINE Read MemoryReader::first_of(Ticket ticket) {
  find(ticket);
  const auto read = std::find_if(reads_.begin(), reads_.end(),
                                 [&](const Pending& one) { return one.ticket == ticket; });
  return read != reads_.end() ? read->read : Read{};
}

FLASHLM_INLINE std::exception_ptr MemoryReader::complete(const Pending& pending) const noexcept {
  const Read& read = pending.read;
  const std::vector<std::byte>& bytes = files_[read.file];
  const auto path = [&] { return concat("memory file ", read.file); };
  try {
    if (pending.code != 0) throw IoError("[memory_reader] cannot read", pending.code, path());
    if (!Extent{read.offset, read.into.size()}.inside(bytes.size())) {
      throw FormatError(concat("[memory_reader] too short: expected ", read.into.size(),
                               " bytes at ", read.offset, ", got an end at ", bytes.size(), " (",
                               path(), ")"));
    }
  } catch (...) {
    return std::current_exception();
  }
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(read.offset), read.into.size(),
              read.into.begin());
  return nullptr;
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
