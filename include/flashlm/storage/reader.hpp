// SPDX-License-Identifier: Apache-2.0
/// reader.hpp: the seam through which bytes come from flash.
///
/// A batch of reads is submitted at once and waited for later, so that many reads are in flight while the caller
/// computes (arXiv:2312.11514, section 4: flash is fast only with many or with large reads).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace flashlm::inline v0::storage {

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

/// Names a submitted batch.
using Ticket = std::uint64_t;

/// Reads batches of extents from a fixed list of files.
///
/// Buffers must stay alive until their batch was waited for, or until `drain` returned. A failed read fails its batch
/// only: the reader and the other batches go on. One thread submits and waits.
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

  /// Starts the whole batch. Returns at once unless the queue is full; allocates nothing. An empty batch is a batch.
  ///
  /// Throws ArgumentError, with nothing started, if a file does not exist or too many tickets are not waited for.
  virtual Ticket submit(std::span<const Read> reads) = 0;

  /// Returns when the batch is complete. Each ticket is waited for once, in any order.
  ///
  /// Throws the IoError or FormatError of the first of the batch's reads that failed; the batch is then complete too,
  /// and its buffers hold anything. Throws ArgumentError for a ticket that is not open.
  virtual void wait(Ticket ticket) = 0;

  /// Returns when nothing is in flight; results of tickets that were not waited for are forgotten.
  virtual void drain() noexcept = 0;

  virtual ReaderStats stats() const noexcept = 0;
};

}  // namespace flashlm::inline v0::storage
