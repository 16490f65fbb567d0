// SPDX-License-Identifier: Apache-2.0
/// memory_reader.hpp: a Reader of bytes in memory that fails on order, for tests.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/extent.hpp"
#include "flashlm/storage/reader.hpp"

namespace flashlm::inline v0::storage {

/// Reads from arrays of bytes, counts as a device would, and remembers the order of the reads.
///
/// Bytes arrive as late as the contract allows: buffers are filled with kPoison at `submit`, and with the bytes at
/// `wait`, unless `release` brings them earlier, in the order that the test likes. Not thread-safe.
class MemoryReader final : public Reader {
 public:
  static constexpr std::byte kPoison{0xa5};

  /// `alignment` is what the device pretends to demand: a power of two.
  explicit MemoryReader(std::vector<std::vector<std::byte>> files, std::size_t alignment = 1)
      : files_(std::move(files)), alignment_(alignment) {
    if (!std::has_single_bit(alignment)) {
      throw ArgumentError(concat("[memory_reader] alignment: expected a power of two, got ", alignment));
    }
    // So that a test of a loop that allocates nothing can use this reader.
    log_.reserve(std::size_t{1} << 16);
    reads_.reserve(std::size_t{1} << 12);
    batches_.reserve(std::size_t{1} << 10);
  }

  std::string_view name() const noexcept override { return "memory"; }
  std::size_t alignment() const noexcept override { return alignment_; }

  Ticket submit(std::span<const Read> reads) override {
    for (const Read& read : reads) {
      if (read.file >= files_.size()) {
        throw ArgumentError(concat("[memory_reader] file: expected one below ", files_.size(), ", got ", read.file));
      }
    }
    const Ticket ticket = next_ticket_++;
    batches_.push_back({ticket, nullptr});
    for (const Read& read : reads) {
      const Extent wanted{read.offset, read.into.size()};
      const Extent around = wanted.aligned(alignment_);
      const std::uint64_t size = files_[read.file].size();
      const std::uint64_t moved = std::max(wanted.end(), std::min(around.end(), size)) - around.offset;
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

  void wait(Ticket ticket) override {
    const Read first = first_of(ticket);
    double waited = 0;
    for (bool told = false; stalled_seconds_ > waited;) {
      if (!watched()) break;
      waited += 1;
      still_waiting(waited, told,
                    [&] { return Stall{concat("memory file ", first.file), first.offset, first.into.size(), waited}; });
    }
    stalled_seconds_ = 0;
    release(ticket);
    const auto batch = find(ticket);
    const std::exception_ptr failure = batch->failure;
    batches_.erase(batch);
    if (failure) std::rethrow_exception(failure);
  }

  void drain() noexcept override {
    for (const Pending& pending : reads_) complete(pending);
    reads_.clear();
    batches_.clear();
  }

  ReaderStats stats() const noexcept override { return stats_; }

  /// The n-th read from now on fails with an IoError of that errno value; 0 is the next one.
  void fail_at(std::uint64_t n, int code) {
    fail_in_ = n;
    fail_code_ = code;
  }

  /// The next wait seems to last so long; its hooks are called once for each second. A wait that a hook ends does not
  /// take the time away: the next one seems to last as long again.
  void stall(double seconds) { stalled_seconds_ = seconds; }

  /// Brings the bytes of a batch now. Throws ArgumentError for a ticket that is not open.
  void release(Ticket ticket) {
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

  std::vector<Batch>::iterator find(Ticket ticket) {
    const auto batch =
        std::find_if(batches_.begin(), batches_.end(), [&](const Batch& open) { return open.ticket == ticket; });
    if (batch != batches_.end()) return batch;
    throw ArgumentError(concat("[memory_reader] ticket: expected one that is open, got ", ticket));
  }

  Read first_of(Ticket ticket) {
    find(ticket);
    const auto read =
        std::find_if(reads_.begin(), reads_.end(), [&](const Pending& one) { return one.ticket == ticket; });
    return read != reads_.end() ? read->read : Read{};
  }

  /// Fills the buffer, or returns why not.
  std::exception_ptr complete(const Pending& pending) const noexcept {
    const Read& read = pending.read;
    const std::vector<std::byte>& bytes = files_[read.file];
    const auto path = [&] { return concat("memory file ", read.file); };
    try {
      if (pending.code != 0) throw IoError("[memory_reader] cannot read", pending.code, path());
      if (!Extent{read.offset, read.into.size()}.inside(bytes.size())) {
        throw FormatError(concat("[memory_reader] too short: expected ", read.into.size(), " bytes at ", read.offset,
                                 ", got an end at ", bytes.size(), " (", path(), ")"));
      }
    } catch (...) {
      return std::current_exception();
    }
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(read.offset), read.into.size(), read.into.begin());
    return nullptr;
  }

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

}  // namespace flashlm::inline v0::storage
