// SPDX-License-Identifier: Apache-2.0
/// uring.ipp: the bodies of uring.hpp.
#pragma once

#include "flashlm/storage/readers/uring.hpp"

#include <algorithm>

#if defined(__linux__)
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace flashlm::inline FLASHLM_ABI::storage {

namespace detail {

#if defined(__linux__)
struct UringTime {
  std::int64_t seconds, nanoseconds;
};

#endif

}  // namespace detail

#if defined(__linux__)
FLASHLM_ONCE Uring::Uring(std::span<const File> files, std::size_t depth) {
  detail::UringParams params{};
  for (const std::uint32_t flags : {detail::kUringCoopTaskrun, std::uint32_t{0}}) {
    params = {};
    params.flags = flags;
    fd_ = static_cast<int>(
        ::syscall(detail::kUringSetup, static_cast<std::uint32_t>(depth), &params));
    if (fd_ >= 0 || errno != EINVAL) break;
  }
  if (fd_ < 0) {
    throw IoError(
        "[uring] cannot make a ring; sysctl kernel.io_uring_disabled or a container's seccomp "
        "filter forbid it, or "
        "the kernel is older than 5.6",
        errno, "io_uring_setup");
  }
  constexpr std::uint32_t kNeeded = detail::kUringSingleMmap | detail::kUringNoDrop;
  if ((params.features & kNeeded) != kNeeded) refuse("[uring] the kernel is too old", ENOSYS);
  has_timeout_ = (params.features & detail::kUringHasExtArg) != 0;
  ring_bytes_ =
      std::max<std::size_t>(params.sq.array + params.sq_entries * sizeof(std::uint32_t),
                            params.cq.cqes + params.cq_entries * sizeof(detail::UringCqe));
  ring_ = map(ring_bytes_, 0);
  sqes_bytes_ = params.sq_entries * sizeof(detail::UringSqe);
  sqes_ = reinterpret_cast<detail::UringSqe*>(map(sqes_bytes_, detail::kUringSqesOffset));
  const auto number = [this](std::uint32_t offset) {
    return reinterpret_cast<std::uint32_t*>(ring_ + offset);
  };
  sq_head_ = number(params.sq.head);
  sq_tail_ = number(params.sq.tail);
  sq_mask_ = *number(params.sq.ring_mask);
  cq_head_ = number(params.cq.head);
  cq_tail_ = number(params.cq.tail);
  cq_mask_ = *number(params.cq.ring_mask);
  cqes_ = reinterpret_cast<const detail::UringCqe*>(ring_ + params.cq.cqes);
  for (std::uint32_t i = 0; i < params.sq_entries; ++i) number(params.sq.array)[i] = i;
  tail_ = *sq_tail_;
  descriptors_.reserve(files.size());
  for (const File& file : files) descriptors_.push_back(file.descriptor());
  // Saves looking the file up for each read; without it everything works as well.
  registered_ =
      !descriptors_.empty() && ::syscall(detail::kUringRegister, fd_, detail::kUringRegisterFiles,
                                         descriptors_.data(), descriptors_.size()) == 0;
}

FLASHLM_INLINE void Uring::push(const UringRead& read) noexcept {
  detail::UringSqe& sqe = sqes_[tail_ & sq_mask_];
  sqe = {};
  sqe.opcode = detail::kUringOpRead;
  sqe.flags = static_cast<std::uint8_t>((registered_ ? detail::kUringFixedFile : 0) |
                                        (read.in_worker ? detail::kUringAsync : 0));
  sqe.fd = registered_ ? static_cast<std::int32_t>(read.file) : descriptors_[read.file];
  sqe.offset = read.offset;
  sqe.address = reinterpret_cast<std::uintptr_t>(read.into);
  sqe.length = read.bytes;
  sqe.user_data = read.tag;
  __atomic_store_n(sq_tail_, ++tail_, __ATOMIC_RELEASE);
}

FLASHLM_INLINE int Uring::enter(std::uint32_t n_results) noexcept {
  for (;;) {
    const long taken =
        ::syscall(detail::kUringEnter, fd_, n_queued(), n_results,
                  n_results > 0 ? detail::kUringGetEvents : 0, nullptr, std::size_t{0});
    if (taken < 0 && errno == EINTR) continue;
    if (taken < 0) return errno;
    if (n_queued() == 0) return 0;
    if (taken == 0) return EAGAIN;
  }
}

FLASHLM_INLINE int Uring::enter_for(double seconds, std::uint32_t n_results) noexcept {
  if (!has_timeout_) return enter(1);
  const detail::UringTime time{0, static_cast<std::int64_t>(seconds * 1e9)};
  const detail::UringEnterArg arg{0, 0, 0, reinterpret_cast<std::uintptr_t>(&time)};
  const long taken = ::syscall(detail::kUringEnter, fd_, n_queued(), n_results,
                               detail::kUringGetEvents | detail::kUringExtArg, &arg, sizeof arg);
  if (taken < 0) return errno;
  return n_queued() == 0 ? 0 : EAGAIN;
}

FLASHLM_INLINE std::uint64_t Uring::take_back() noexcept {
  __atomic_store_n(sq_tail_, --tail_, __ATOMIC_RELEASE);
  return sqes_[tail_ & sq_mask_].user_data;
}

FLASHLM_INLINE bool Uring::next(UringResult& result) noexcept {
  const std::uint32_t head = *cq_head_;
  if (head == __atomic_load_n(cq_tail_, __ATOMIC_ACQUIRE)) return false;
  const detail::UringCqe& cqe = cqes_[head & cq_mask_];
  result = {cqe.user_data, cqe.result};
  __atomic_store_n(cq_head_, head + 1, __ATOMIC_RELEASE);
  return true;
}

FLASHLM_INLINE std::byte* Uring::map(std::size_t bytes, std::uint64_t offset) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_,
                        static_cast<off_t>(offset));
  if (memory == MAP_FAILED) refuse("[uring] cannot map the ring", errno);
  ::madvise(memory, bytes, MADV_DONTFORK);  // a forked child must not take our results
  return static_cast<std::byte*>(memory);
}

FLASHLM_INLINE void Uring::refuse(const char* what, int code) {
  release();
  throw IoError(what, code, "io_uring");
}

FLASHLM_INLINE void Uring::release() noexcept {
  // A forked child has not got the memory (see `map`): what is there now is somebody else's.
  if (sqes_ != nullptr && origin_.is_here()) ::munmap(sqes_, sqes_bytes_);
  if (ring_ != nullptr && origin_.is_here()) ::munmap(ring_, ring_bytes_);
  ::close(fd_);
}

#endif

}  // namespace flashlm::inline FLASHLM_ABI::storage
