// SPDX-License-Identifier: Apache-2.0
/// reader.hpp: the seam through which bytes come from flash.
///
/// A batch of reads is submitted at once and waited for later, so that many reads are in flight
/// while the caller computes (arXiv:2312.11514, section 4: flash is fast only with many or with
/// large reads).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// The bytes of file number `file` from `offset` on, as many as `into` holds.
struct Read {
  std::uint32_t file = 0;
  std::uint64_t offset = 0;
  std::span<std::byte> into;
};

/// What a reader was asked for since it was made.
struct ReaderStats {
  std::uint64_t reads = 0;
  std::uint64_t bytes_read = 0;  // asked of the device: the aligned superset of every read
  std::uint64_t gap_bytes = 0;   // of these, bytes that nobody wanted

  friend bool operator==(const ReaderStats&, const ReaderStats&) noexcept = default;
};

/// A read that does not come.
struct Stall {
  std::string path;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  double seconds = 0;  // waited so far
};

/// Who wants to know that `wait` waits.
struct WaitHooks {
  std::function<void()> on_wait{};  // about ten times a second; may throw to stop waiting: Ctrl-C
  std::function<void(const Stall&)>
      on_stall{};  // once for each wait that is longer than `stall_seconds`
  double stall_seconds = 5;
};

/// Names a submitted batch.
using Ticket = std::uint64_t;

/// Reads batches of extents from a fixed list of files.
///
/// Buffers must stay alive until their batch was waited for, or until `drain` returned. A failed
/// read fails its batch only: the reader and the other batches go on. One thread submits and waits.
class Reader {
 public:
  Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  virtual ~Reader() = default;

  /// "uring", "threads", "memory".
  virtual std::string_view name() const noexcept = 0;

  /// A read whose offset, length and address are multiples of it needs no copy; a power of two.
  virtual std::size_t alignment() const noexcept = 0;

  /// Starts the whole batch. Returns at once unless the queue is full; allocates nothing. An empty
  /// batch is a batch.
  ///
  /// What a hook throws while the queue is full leaves the rest of the batch unread: `wait` throws
  /// it, and, called again, an IoError with EINTR once the reads that had begun are complete.
  /// Throws ArgumentError, with nothing started, if a file does not exist or too many tickets are
  /// not waited for.
  virtual Ticket submit(std::span<const Read> reads) = 0;

  /// Returns when the batch is complete. Each ticket is waited for once, in any order.
  ///
  /// Throws the IoError or FormatError of the first of the batch's reads that failed; the batch is
  /// then complete too, and its buffers hold anything. Throws ArgumentError for a ticket that is
  /// not open. What a hook throws leaves the ticket open and its reads in flight.
  virtual void wait(Ticket ticket) = 0;

  /// Returns when nothing is in flight; results of tickets that were not waited for are forgotten.
  virtual void drain() noexcept = 0;

  virtual ReaderStats stats() const noexcept = 0;

  /// Seconds with at least one read in flight, since this was made; 0 where a reader does not know.
  /// A read that nobody looks at ends for this when somebody does: at the next `submit` or `wait`.
  virtual double busy_seconds() const noexcept { return 0; }

  /// From now on `wait` tells these. Not while another thread waits.
  void watch(WaitHooks hooks) { hooks_ = std::move(hooks); }

 protected:
  static constexpr double kSliceSeconds = 0.1;  // between two calls of on_wait

  bool watched() const noexcept { return hooks_.on_wait || hooks_.on_stall; }

  /// Tells the hooks that a wait has lasted `seconds`; what_stalls() makes the Stall. `told` is of
  /// the wait.
  template <class WhatStalls>
  void still_waiting(double seconds, bool& told, WhatStalls&& what_stalls) const {
    if (hooks_.on_wait) hooks_.on_wait();
    if (told || !hooks_.on_stall || seconds < hooks_.stall_seconds) return;
    told = true;
    hooks_.on_stall(what_stalls());
  }

 private:
  WaitHooks hooks_;
};

}  // namespace flashlm::inline FLASHLM_ABI::storage
