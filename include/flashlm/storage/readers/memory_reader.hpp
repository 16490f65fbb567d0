// SPDX-License-Identifier: Apache-2.0
/// memory_reader.hpp: a Reader of bytes in memory that fails on order, for tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "flashlm/storage/io/extent.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// Reads from arrays of bytes, counts as a device would, and remembers the order of the reads.
///
/// Bytes arrive as late as the contract allows: buffers are filled with kPoison at `submit`, and
/// with the bytes at `wait`, unless `release` brings them earlier, in the order that the test
/// likes. Not thread-safe.
class MemoryReader final : public Reader {
 public:
  static constexpr std::byte kPoison{0xa5};

  /// `alignment` is what the device pretends to demand: a power of two.
  explicit MemoryReader(std::vector<std::vector<std::byte>> files, std::size_t alignment = 1);

  std::string_view name() const noexcept override { return "memory"; }
  std::size_t alignment() const noexcept override { return alignment_; }

  FLASHLM_INLINE Ticket submit(std::span<const Read> reads) override;

  FLASHLM_INLINE void wait(Ticket ticket) override;

  FLASHLM_INLINE void drain() noexcept override;

  ReaderStats stats() const noexcept override { return stats_; }

  /// The n-th read from now on fails with an IoError of that errno value; 0 is the next one.
  void fail_at(std::uint64_t n, int code);

  /// The next wait seems to last so long; its hooks are called once for each second. A wait that a
  /// hook ends does not take the time away: the next one seems to last as long again.
  void stall(double seconds) { stalled_seconds_ = seconds; }

  /// Brings the bytes of a batch now. Throws ArgumentError for a ticket that is not open.
  void release(Ticket ticket);

  /// All reads so far, in the order in which they were submitted.
  const std::vector<Place>& log() const noexcept { return log_; }
  void clear_log() noexcept { log_.clear(); }

  /// Tickets that were not waited for.
  std::size_t n_open() const noexcept { return batches_.size(); }

  /// The bytes of a file, to be changed or cut by a test.
  std::vector<std::byte>& file(std::size_t index) { return files_.at(index); }

 private:
  struct Pending {
    Ticket ticket = 0;
    Read read;
    int code = 0;  // errno, or 0
  };
  struct Batch {
    Ticket ticket;
    std::exception_ptr failure;
  };

  std::vector<Batch>::iterator find(Ticket ticket);

  Read first_of(Ticket ticket);

  /// Fills the buffer, or returns why not.
  std::exception_ptr complete(const Pending& pending) const noexcept;

  std::vector<std::vector<std::byte>> files_;
  std::size_t alignment_;
  ReaderStats stats_;
  Ticket next_ticket_ = 0;
  std::vector<Pending> reads_;  // not complete
  std::vector<Batch> batches_;  // not waited for
  std::vector<Place> log_;
  std::optional<std::uint64_t> fail_in_;
  int fail_code_ = 0;
  double stalled_seconds_ = 0;
};

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/readers/memory_reader.ipp"
#endif
