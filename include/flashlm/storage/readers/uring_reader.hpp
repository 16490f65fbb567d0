// SPDX-License-Identifier: Apache-2.0
/// uring_reader.hpp: a Reader that keeps its reads in flight by Linux' io_uring, without threads of
/// its own.
#pragma once

#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string_view>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/storage/io/extent.hpp"
#include "flashlm/storage/io/file.hpp"
#include "flashlm/storage/readers/busy_time.hpp"
#include "flashlm/storage/readers/file_reader.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/storage/readers/uring.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// At most `capacity` parts of reads are in the ring at once, and `submit` waits for room. At most
/// `tickets` are open.
///
/// A device takes fewer (usually 256), and the kernel keeps the rest: that is cheaper than to be
/// called for more, and who submits a layer's neurons can compute at once.
struct UringReaderOptions {
  static constexpr std::size_t kSmallCapacity =
      256;  // of a ring for which a locked-memory limit leaves no more room
  std::size_t capacity = 4096;
  std::size_t tickets = 256;
};

/// Reads through a ring (`Ring` is Uring, but in tests). A read is cut into parts where it is not
/// aligned: what the device can bring to its place goes there, the ragged rest through bounce
/// buffers.
///
/// Short reads go on where they stopped. What the ring refuses or fails is read once more by pread,
/// so that errors are those of File, and a ring that is forbidden in mid-flight is only slower. All
/// memory is taken at construction: the rings, and kBounceBytes if a file is direct.
template <class Ring>
class BasicUringReader final : public FileReader {
 public:
  using Options = UringReaderOptions;
  static constexpr std::size_t kBounceBytes = std::size_t{1} << 20;

  /// `files` must outlive the reader. Reads once to see that it works.
  ///
  /// Throws ArgumentError for options out of range; IoError where the kernel or a container forbids
  /// io_uring.
  explicit BasicUringReader(std::span<const File> files, Options options = {})
      : FileReader(files, checked(options).tickets),
        ring_(files, options.capacity),
        parts_(options.capacity) {
    try_one_read();
    free_.reserve(parts_.size());
    for (std::size_t part = parts_.size(); part > 0; --part) free_.push_back(part - 1);
    if (alignment() == 1) return;
    slot_bytes_ = std::max(kBounceSlotBytes, alignment());
    const std::size_t n_slots =
        std::min(parts_.size(), std::max<std::size_t>(kBounceBytes / slot_bytes_, 1));
    bounce_ = AlignedBuffer(n_slots * slot_bytes_);
    free_slots_.reserve(n_slots);
    for (std::size_t slot = n_slots; slot > 0; --slot) free_slots_.push_back(slot - 1);
  }

  BasicUringReader(std::vector<File>&& files, Options options = {}) = delete;

  /// Finishes what is in flight.
  ~BasicUringReader() override { drain(); }

  std::string_view name() const noexcept override { return "uring"; }
  double busy_seconds() const noexcept override { return busy_.seconds(); }

  Ticket submit(std::span<const Read> reads) override {
    check(reads);
    take_results();
    const std::size_t slot = open_batch(reads);
    for (std::size_t index = 0; index < reads.size() && !batch(slot).interruption; ++index) {
      count(reads[index]);
      if (Extent{reads[index].offset, reads[index].into.size()}.inside(file(reads[index]).size())) {
        start(reads[index], slot, index);
      } else {
        read_plainly(reads[index], {}, slot, index);
      }
    }
    if (ring_.n_queued() > 0) hand_over(0);
    return ticket_of(slot);
  }

  void wait(Ticket ticket) override {
    const std::size_t slot = slot_of(ticket);
    rethrow_interruption(slot);
    take_results();
    for (Patience patience; batch(slot).pending > 0;) await(batch(slot).pending, slot, patience);
    if (const std::exception_ptr failure = close_batch(slot)) std::rethrow_exception(failure);
  }

  void drain() noexcept override {
    if (!is_own()) return;
    while (free_.size() < parts_.size()) {
      hand_over(parts_.size() - free_.size());
      take_results();
    }
    close_batches();
  }

 private:
  static constexpr std::size_t kBounceSlotBytes = std::size_t{16} << 10;
  static constexpr std::size_t kLargestPart = std::size_t{1}
                                              << 30;       // below the kernel's limit on one read
  static constexpr std::size_t kDirect = ~std::size_t{0};  // instead of a bounce slot
  static constexpr std::size_t kLargestTickets = std::size_t{1} << 20;
  static constexpr int kTries = 8;

  struct Part {
    Read read;              // the bytes that the caller wants of this part
    std::size_t batch = 0;  // the slot
    std::size_t index = 0;  // of the whole read in its batch
    std::size_t slot = kDirect;
    std::uint64_t from =
        0;  // what the ring reads: `length` bytes from here, of which `needed` matter
    std::byte* to = nullptr;
    std::size_t length = 0;
    std::size_t needed = 0;
    std::size_t done = 0;
    int tries = 0;
  };

  static const Options& checked(const Options& options) {
    if (options.capacity < 1 || options.capacity > Ring::kLargestDepth) {
      throw ArgumentError(concat("[uring_reader] capacity: expected 1 to ", Ring::kLargestDepth,
                                 ", got ", options.capacity));
    }
    if (options.tickets < 1 || options.tickets > kLargestTickets) {
      throw ArgumentError(concat("[uring_reader] tickets: expected 1 to ", kLargestTickets,
                                 ", got ", options.tickets));
    }
    return options;
  }

  void try_one_read() {
    const auto found = std::find_if(files().begin(), files().end(),
                                    [](const File& file) { return file.size() > 0; });
    if (found == files().end()) return;
    AlignedBuffer buffer(std::max(found->alignment(), kPageBytes));
    UringResult result{0, -EAGAIN};
    for (int i = 0; i < kTries && (result.code == -EAGAIN || result.code == -EINTR); ++i) {
      ring_.push({static_cast<std::uint32_t>(found - files().begin()), 0, buffer.data(),
                  static_cast<std::uint32_t>(buffer.size()), !found->direct(), 0});
      if (const int code = ring_.enter(1))
        throw IoError("[uring_reader] cannot enter the ring", code, "io_uring_enter");
      ring_.next(result);
    }
    if (result.code <= 0) {
      throw IoError("[uring_reader] cannot read by io_uring", result.code < 0 ? -result.code : EIO,
                    found->path().string());
    }
  }

  /// Cuts a read into parts and queues them, as File::read does.
  void start(Read rest, std::size_t batch, std::size_t index) noexcept {
    const std::size_t unit = file(rest).alignment();
    while (!rest.into.empty() && !this->batch(batch).interruption) {
      const std::size_t skew = rest.offset & (unit - 1);
      const bool fits = (reinterpret_cast<std::uintptr_t>(rest.into.data()) & (unit - 1)) == skew;
      const std::size_t whole = std::min(rest.into.size() & ~(unit - 1), kLargestPart);
      Part part{rest, batch, index};
      std::size_t n;
      if (skew == 0 && fits && whole > 0) {
        n = part.length = part.needed = whole;
        part.from = rest.offset;
        part.to = rest.into.data();
      } else {
        // With a fitting address only the ragged ends bounce, otherwise everything does.
        n = std::min(rest.into.size(), (fits ? unit : slot_bytes_) - skew);
        part.needed = skew + n;
        part.length = (part.needed + unit - 1) & ~(unit - 1);
        part.from = rest.offset - skew;
        part.slot = 0;
      }
      part.read.into = rest.into.first(n);
      queue(part);
      rest.offset += n;
      rest.into = rest.into.subspan(n);
    }
  }

  /// Gives the kernel what is queued, takes `n` results or those of a moment, and tells the hooks
  /// of a long wait.
  void await(std::size_t n, std::size_t slot, Patience& patience) {
    const int code =
        watched() ? ring_.enter_for(kSliceSeconds, static_cast<std::uint32_t>(n)) : EAGAIN;
    if (code != 0 && code != ETIME && code != EINTR) hand_over(watched() ? 1 : n);
    take_results();
    if (code == ETIME || code == EINTR) patience.wait_on(*this, slot);
  }

  /// Waits for room where there is none; false if a hook had enough of it.
  bool make_room(const Part& part) noexcept {
    const auto full = [&] {
      return free_.empty() || (part.slot != kDirect && free_slots_.empty());
    };
    if (!full()) return true;
    take_results();
    try {
      // For a good deal of room at once: each call costs as much as a read.
      for (Patience patience; full();)
        await(free_.empty() ? (parts_.size() + 3) / 4 : 1, part.batch, patience);
    } catch (...) {
      interrupt(part.batch, part.index, std::current_exception());
    }
    return !full();
  }

  void queue(Part part) noexcept {
    if (!make_room(part)) return;
    if (part.slot != kDirect) {
      part.slot = free_slots_.back();
      free_slots_.pop_back();
      part.to = bounce(part).data();
    }
    const std::size_t at = free_.back();
    free_.pop_back();
    parts_[at] = part;
    ++batch(part.batch).pending;
    busy_.set(parts_.size() - free_.size());
    push(at);
  }

  std::span<std::byte> bounce(const Part& part) noexcept {
    if (part.slot == kDirect) return {};
    return bounce_.bytes().subspan(part.slot * slot_bytes_, slot_bytes_);
  }

  void push(std::size_t at) noexcept {
    const Part& part = parts_[at];
    // A buffered read copies: left to this thread it would do so in submit or in wait.
    ring_.push({part.read.file, part.from + part.done, part.to + part.done,
                static_cast<std::uint32_t>(part.length - part.done), !file(part.read).direct(),
                at});
  }

  /// Gives the kernel what is queued and waits until `n` results can be taken.
  void hand_over(std::size_t n) noexcept {
    int code = ring_.enter(static_cast<std::uint32_t>(n));
    if (code == 0) return;
    while (ring_.n_queued() > 0) {
      const std::size_t at = ring_.take_back();
      read_plainly(parts_[at].read, bounce(parts_[at]), parts_[at].batch, parts_[at].index);
      finish(at);
    }
    // What was taken before the refusal completes without being waited for.
    constexpr timespec kMoment{0, 50'000};
    if (n > 0) ::nanosleep(&kMoment, nullptr);
  }

  void take_results() noexcept {
    for (UringResult result; ring_.next(result);) {
      const auto at = static_cast<std::size_t>(result.tag);
      Part& part = parts_[at];
      const std::size_t unit = file(part.read).alignment();
      const std::size_t reached = part.done + static_cast<std::size_t>(std::max(result.code, 0));
      // A direct read goes on at an aligned place only: what a short read left beyond it is read
      // once more.
      const std::size_t next = reached & ~(unit - 1);
      const bool again = result.code == -EINTR || result.code == -EAGAIN;
      if (reached >= part.needed) {
        if (part.slot != kDirect) {
          std::copy_n(part.to + part.needed - part.read.into.size(), part.read.into.size(),
                      part.read.into.data());
        }
        finish(at);
      } else if (next > part.done || (again && ++part.tries < kTries)) {
        part.done = next;
        push(at);
      } else {
        read_plainly(part.read, bounce(part), part.batch, part.index);
        finish(at);
      }
    }
  }

  void read_plainly(const Read& read, std::span<std::byte> bounce, std::size_t batch,
                    std::size_t index) noexcept {
    try {
      file(read).read(read.offset, read.into, bounce);
    } catch (...) {
      std::exception_ptr failure = std::current_exception();
      fail(batch, index, failure);
    }
  }

  void finish(std::size_t at) noexcept {
    const Part& part = parts_[at];
    --batch(part.batch).pending;
    if (part.slot != kDirect) free_slots_.push_back(part.slot);
    free_.push_back(at);
    busy_.set(parts_.size() - free_.size());
  }

  Ring ring_;
  std::vector<Part> parts_;        // [capacity]
  std::vector<std::size_t> free_;  // of parts_
  BusyTime busy_;
  AlignedBuffer bounce_;  // [n_slots, slot_bytes_]
  std::size_t slot_bytes_ = 1;
  std::vector<std::size_t> free_slots_;  // of bounce_
};

/// The reader of programs. Throws IoError where io_uring does not exist or is forbidden.
using UringReader = BasicUringReader<Uring>;

}  // namespace flashlm::inline FLASHLM_ABI::storage
