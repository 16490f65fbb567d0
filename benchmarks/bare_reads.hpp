// SPDX-License-Identifier: Apache-2.0
/// bare_reads.hpp: a batch of reads by the shortest way there is, the floor that neuron_reads.cpp
/// compares with.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/storage/io/file.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/storage/readers/uring.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace bench {

/// Aligned reads with `depth` of them in flight: by a ring that only one thread may use, or by so
/// many threads.
///
/// Nothing is retried, copied or counted; a read that is not whole is an error.
class BareReads {
 public:
  BareReads(std::span<const flashlm::storage::File> files, bool ring, std::size_t depth)
      : files_(files) {
    if (ring) {
      open_ring(depth);
    } else {
      threads_ = std::make_unique<flashlm::Parallel>(static_cast<int>(depth));
    }
  }
  BareReads(const BareReads&) = delete;
  BareReads& operator=(const BareReads&) = delete;
  ~BareReads() { close_ring(); }

  /// Returns when all are done.
  void read(std::span<const flashlm::storage::Read> reads) {
    if (!threads_) return read_by_ring(reads);
    threads_->for_range(reads.size(), 1, [&](std::size_t begin, std::size_t end) {
      for (const flashlm::storage::Read& read : reads.subspan(begin, end - begin)) {
        const auto got = ::pread(files_[read.file].descriptor(), read.into.data(), read.into.size(),
                                 static_cast<off_t>(read.offset));
        if (got != static_cast<ssize_t>(read.into.size()))
          throw flashlm::IoError("[bare_reads]", EIO, "pread");
      }
    });
  }

 private:
#if defined(__linux__)
  void open_ring(std::size_t depth) {
    using namespace flashlm::storage::detail;
    depth_ = static_cast<std::uint32_t>(depth);
    constexpr std::uint32_t kSingleIssuer = 1u << 12, kDeferTaskrun = 1u << 13;
    UringParams params{};
    for (const std::uint32_t flags :
         {kSingleIssuer | kDeferTaskrun, kUringCoopTaskrun, std::uint32_t{0}}) {
      params = {};
      params.flags = flags;
      fd_ = static_cast<int>(::syscall(kUringSetup, depth_, &params));
      if (fd_ >= 0) break;
    }
    if (fd_ < 0) throw flashlm::IoError("[bare_reads] no ring", errno, "io_uring_setup");
    const auto map = [&](std::size_t bytes, std::uint64_t offset) {
      return static_cast<std::byte*>(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                            MAP_SHARED | MAP_POPULATE, fd_,
                                            static_cast<off_t>(offset)));
    };
    ring_bytes_ = std::max(params.sq.array + params.sq_entries * sizeof(std::uint32_t),
                           params.cq.cqes + params.cq_entries * sizeof(UringCqe));
    sqes_bytes_ = params.sq_entries * sizeof(UringSqe);
    ring_ = map(ring_bytes_, 0);
    sqes_ = reinterpret_cast<UringSqe*>(map(sqes_bytes_, kUringSqesOffset));
    const auto number = [this](std::uint32_t offset) {
      return reinterpret_cast<std::uint32_t*>(ring_ + offset);
    };
    sq_tail_ = number(params.sq.tail), sq_mask_ = *number(params.sq.ring_mask);
    cq_head_ = number(params.cq.head), cq_tail_ = number(params.cq.tail),
    cq_mask_ = *number(params.cq.ring_mask);
    cqes_ = reinterpret_cast<UringCqe*>(ring_ + params.cq.cqes);
    for (std::uint32_t i = 0; i < params.sq_entries; ++i) number(params.sq.array)[i] = i;
    std::vector<std::int32_t> descriptors;
    for (const flashlm::storage::File& file : files_) descriptors.push_back(file.descriptor());
    if (::syscall(kUringRegister, fd_, kUringRegisterFiles, descriptors.data(),
                  descriptors.size()) != 0) {
      throw flashlm::IoError("[bare_reads] cannot register the files", errno, "io_uring_register");
    }
  }

  void read_by_ring(std::span<const flashlm::storage::Read> reads) {
    using namespace flashlm::storage::detail;
    std::uint32_t tail = *sq_tail_, head = *cq_head_;
    for (std::size_t next = 0, done = 0; done < reads.size();) {
      std::uint32_t queued = 0;
      for (; next < reads.size() && next - done < depth_; ++next, ++queued) {
        UringSqe& sqe = sqes_[tail++ & sq_mask_];
        sqe = {};
        sqe.opcode = kUringOpRead;
        sqe.flags = kUringFixedFile;
        sqe.fd = static_cast<std::int32_t>(reads[next].file);
        sqe.offset = reads[next].offset;
        sqe.address = reinterpret_cast<std::uintptr_t>(reads[next].into.data());
        sqe.length = static_cast<std::uint32_t>(reads[next].into.size());
        sqe.user_data = sqe.length;
      }
      __atomic_store_n(sq_tail_, tail, __ATOMIC_RELEASE);
      // All of the last ones, else a part of what is in flight: one call for many reads, and the
      // disk is never idle.
      const std::size_t wanted =
          next == reads.size() ? next - done : std::max<std::size_t>(depth_ / 4, 1);
      while (::syscall(kUringEnter, fd_, queued, wanted, kUringGetEvents, nullptr, std::size_t{0}) <
             0) {
        if (errno != EINTR)
          throw flashlm::IoError("[bare_reads] cannot enter the ring", errno, "io_uring_enter");
      }
      for (const std::uint32_t end = __atomic_load_n(cq_tail_, __ATOMIC_ACQUIRE); head != end;
           ++head, ++done) {
        const UringCqe& cqe = cqes_[head & cq_mask_];
        if (cqe.result < 0 || static_cast<std::uint64_t>(cqe.result) != cqe.user_data) {
          throw flashlm::IoError("[bare_reads] a read is not whole",
                                 cqe.result < 0 ? -cqe.result : EIO, "io_uring");
        }
      }
      __atomic_store_n(cq_head_, head, __ATOMIC_RELEASE);
    }
  }

  void close_ring() noexcept {
    if (fd_ < 0) return;
    ::munmap(sqes_, sqes_bytes_);
    ::munmap(ring_, ring_bytes_);
    ::close(fd_);
  }

  int fd_ = -1;
  std::uint32_t depth_ = 0;
  std::byte* ring_ = nullptr;
  std::size_t ring_bytes_ = 0;
  flashlm::storage::detail::UringSqe* sqes_ = nullptr;
  std::size_t sqes_bytes_ = 0;
  std::uint32_t* sq_tail_ = nullptr;
  std::uint32_t sq_mask_ = 0;
  std::uint32_t* cq_head_ = nullptr;
  const std::uint32_t* cq_tail_ = nullptr;
  std::uint32_t cq_mask_ = 0;
  const flashlm::storage::detail::UringCqe* cqes_ = nullptr;
#else
  void open_ring(std::size_t) {
    throw flashlm::IoError("[bare_reads] no ring", ENOSYS, "io_uring_setup");
  }
  void read_by_ring(std::span<const flashlm::storage::Read>) {}
  void close_ring() noexcept {}
#endif

  std::span<const flashlm::storage::File> files_;
  std::unique_ptr<flashlm::Parallel> threads_;
};

}  // namespace bench
