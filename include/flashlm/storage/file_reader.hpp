// SPDX-License-Identifier: Apache-2.0
/// file_reader.hpp: what readers of files have in common: alignment, statistics, open batches.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/process.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/storage/extent.hpp"
#include "flashlm/storage/file.hpp"
#include "flashlm/storage/reader.hpp"

namespace flashlm::inline v0::storage {

/// A Reader of open files; what is left to do is the reading.
///
/// Takes no lock: a reader with threads of its own guards the batches itself. In a forked child every call that would
/// read throws Error, and nothing waits.
class FileReader : public Reader {
 public:
  std::size_t alignment() const noexcept final { return alignment_; }
  ReaderStats stats() const noexcept final { return stats_; }

 protected:
  struct Batch {
    Ticket ticket = 0;  // how often this slot was used before
    bool open = false;
    bool told = false;            // of the interruption
    std::size_t pending = 0;      // parts that are not complete
    std::size_t failed_read = 0;  // the index of the read that `failure` is of
    Read first;                   // of its reads
    std::exception_ptr failure;
    std::exception_ptr interruption;  // what a hook threw while `submit` waited for room: the rest was not started
  };

  /// How long a wait has lasted, and whether it was told of.
  class Patience {
   public:
    /// Tells the hooks.
    void wait_on(const FileReader& reader, std::size_t slot) {
      const double seconds = now_seconds() - start_;
      reader.still_waiting(seconds, told_, [&] { return reader.stall_of(slot, seconds); });
    }

   private:
    double start_ = now_seconds();
    bool told_ = false;
  };

  /// `files` must outlive the reader; at most `n_tickets` are open at once.
  FileReader(std::span<const File> files, std::size_t n_tickets) : files_(files), batches_(n_tickets) {
    for (const File& file : files) alignment_ = std::max(alignment_, file.alignment());
    free_.reserve(n_tickets);
    for (std::size_t slot = n_tickets; slot > 0; --slot) free_.push_back(slot - 1);
  }

  const File& file(const Read& read) const noexcept { return files_[read.file]; }
  std::span<const File> files() const noexcept { return files_; }
  Batch& batch(std::size_t slot) noexcept { return batches_[slot]; }

  /// Whether this process made the reader; a forked child has a copy without threads and without the kernel's ring.
  bool is_own() const noexcept { return origin_.is_here(); }
  void require_own() const { origin_.require_here("reader", "the files"); }

  /// Throws ArgumentError if a file does not exist, Error in a forked child.
  void check(std::span<const Read> reads) const {
    require_own();
    for (const Read& read : reads) {
      if (read.file < files_.size()) continue;
      throw ArgumentError(
          concat("[", name(), "_reader] file: expected one below ", files_.size(), ", got ", read.file));
    }
  }

  void count(const Read& read) noexcept {
    const std::uint64_t moved = file(read).superset({read.offset, read.into.size()}).bytes;
    ++stats_.reads;
    stats_.bytes_read += moved;
    stats_.gap_bytes += moved - read.into.size();
  }

  /// The slot of a new batch with nothing pending. Throws ArgumentError if too many are open.
  std::size_t open_batch(std::span<const Read> reads) {
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

  /// What is told of a batch that does not come: its first read.
  Stall stall_of(std::size_t slot, double seconds) const {
    const Read& read = batches_[slot].first;
    return {file(read).path().string(), read.offset, read.into.size(), seconds};
  }

  Ticket ticket_of(std::size_t slot) const noexcept { return batches_[slot].ticket * batches_.size() + slot; }

  /// Throws ArgumentError for a ticket that is not open, Error in a forked child.
  std::size_t slot_of(Ticket ticket) const {
    require_own();
    const std::size_t slot = ticket % batches_.size();
    if (batches_[slot].open && batches_[slot].ticket == ticket / batches_.size()) return slot;
    throw ArgumentError(concat("[", name(), "_reader] ticket: expected one that is open, got ", ticket));
  }

  /// Keeps the first failure in the order of the batch, whatever came first in time: errors are the same in every run.
  void fail(std::size_t slot, std::size_t index, std::exception_ptr& failure) noexcept {
    Batch& failed = batches_[slot];
    if (failed.failure && failed.failed_read <= index) return;
    std::swap(failed.failure, failure);
    failed.failed_read = index;
  }

  /// A hook ended the wait for room before read `index` was started: `wait` tells it, then the batch fails.
  void interrupt(std::size_t slot, std::size_t index, std::exception_ptr thrown) noexcept {
    batches_[slot].interruption = std::move(thrown);
    try {
      throw IoError("[reader] a batch was interrupted", EINTR, file(batches_[slot].first).path().string());
    } catch (...) {
      std::exception_ptr failure = std::current_exception();
      fail(slot, index, failure);
    }
  }

  /// Throws what a hook threw while this batch was submitted, once.
  void rethrow_interruption(std::size_t slot) {
    if (batches_[slot].interruption && !batches_[slot].told) {
      batches_[slot].told = true;
      std::rethrow_exception(batches_[slot].interruption);
    }
  }

  /// Frees the slot; what failed, or null.
  std::exception_ptr close_batch(std::size_t slot) noexcept {
    Batch& closed = batches_[slot];
    closed.open = false;
    closed.interruption = nullptr;
    ++closed.ticket;
    free_.push_back(slot);
    return std::exchange(closed.failure, nullptr);
  }

  void close_batches() noexcept {
    for (std::size_t slot = 0; slot < batches_.size(); ++slot) {
      if (batches_[slot].open) close_batch(slot);
    }
  }

 private:
  Origin origin_;
  std::span<const File> files_;
  std::size_t alignment_ = 1;
  ReaderStats stats_;
  std::vector<Batch> batches_;     // [n_tickets]
  std::vector<std::size_t> free_;  // slots of batches
};

}  // namespace flashlm::inline v0::storage
