// SPDX-License-Identifier: Apache-2.0
/// file_reader.hpp: what readers of files have in common: alignment, statistics, open batches.
#pragma once

#include <cstddef>
#include <exception>
#include <span>
#include <vector>

#include "flashlm/base/process.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/storage/io/file.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// A Reader of open files; what is left to do is the reading.
///
/// Takes no lock: a reader with threads of its own guards the batches itself. In a forked child
/// every call that would read throws Error, and nothing waits.
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
    std::exception_ptr
        interruption;  // what a hook threw while `submit` waited for room: the rest was not started
  };

  /// How long a wait has lasted, and whether it was told of.
  class Patience {
   public:
    /// Tells the hooks.
    void wait_on(const FileReader& reader, std::size_t slot);

   private:
    double start_ = now_seconds();
    bool told_ = false;
  };

  /// `files` must outlive the reader; at most `n_tickets` are open at once.
  FileReader(std::span<const File> files, std::size_t n_tickets);

  const File& file(const Read& read) const noexcept { return files_[read.file]; }
  std::span<const File> files() const noexcept { return files_; }
  Batch& batch(std::size_t slot) noexcept { return batches_[slot]; }

  /// Whether this process made the reader; a forked child has a copy without threads and without
  /// the kernel's ring.
  bool is_own() const noexcept { return origin_.is_here(); }
  void require_own() const { origin_.require_here("reader", "the files"); }

  /// Throws ArgumentError if a file does not exist, Error in a forked child.
  void check(std::span<const Read> reads) const;

  void count(const Read& read) noexcept;

  /// The slot of a new batch with nothing pending. Throws ArgumentError if too many are open.
  std::size_t open_batch(std::span<const Read> reads);

  /// What is told of a batch that does not come: its first read.
  Stall stall_of(std::size_t slot, double seconds) const;

  Ticket ticket_of(std::size_t slot) const noexcept {
    return batches_[slot].ticket * batches_.size() + slot;
  }

  /// Throws ArgumentError for a ticket that is not open, Error in a forked child.
  std::size_t slot_of(Ticket ticket) const;

  /// Keeps the first failure in the order of the batch, whatever came first in time: errors are the
  /// same in every run.
  void fail(std::size_t slot, std::size_t index, std::exception_ptr& failure) noexcept;

  /// A hook ended the wait for room before read `index` was started: `wait` tells it, then the
  /// batch fails.
  void interrupt(std::size_t slot, std::size_t index, std::exception_ptr thrown) noexcept;

  /// Throws what a hook threw while this batch was submitted, once.
  void rethrow_interruption(std::size_t slot);

  /// Frees the slot; what failed, or null.
  std::exception_ptr close_batch(std::size_t slot) noexcept;

  void close_batches() noexcept;

 private:
  Origin origin_;
  std::span<const File> files_;
  std::size_t alignment_ = 1;
  ReaderStats stats_;
  std::vector<Batch> batches_;     // [n_tickets]
  std::vector<std::size_t> free_;  // slots of batches
};

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/readers/file_reader.ipp"
#endif
