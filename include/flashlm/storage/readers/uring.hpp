// SPDX-License-Identifier: Apache-2.0
/// uring.hpp: Linux' io_uring by its system calls: reads go in through one ring, results come out
/// of another.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/process.hpp"
#include "flashlm/storage/io/file.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// A read as the ring takes it: `bytes` of file number `file` from `offset` on, to `into`.
struct UringRead {
  std::uint32_t file = 0;
  std::uint64_t offset = 0;
  std::byte* into = nullptr;
  std::uint32_t bytes = 0;
  bool in_worker = false;  // by a thread of the kernel, because the read copies or blocks
  std::uint64_t tag = 0;   // comes back with the result
};

struct UringResult {
  std::uint64_t tag = 0;
  int code = 0;  // bytes that were read, 0 at the end of the file, or an errno value below zero
};

#if defined(__linux__)

namespace detail {

// The kernel's interface (uapi/linux/io_uring.h), of which old systems have no header. It never
// changes.
struct UringSqe {
  std::uint8_t opcode, flags;
  std::uint16_t ioprio;
  std::int32_t fd;
  std::uint64_t offset, address;
  std::uint32_t length, rw_flags;
  std::uint64_t user_data;
  std::uint64_t unused[3];
};
struct UringCqe {
  std::uint64_t user_data;
  std::int32_t result;
  std::uint32_t flags;
};
struct UringParams {
  std::uint32_t sq_entries, cq_entries, flags, sq_thread_cpu, sq_thread_idle, features, wq_fd,
      reserved[3];
  struct {
    std::uint32_t head, tail, ring_mask, ring_entries, flags, dropped, array, reserved[3];
  } sq;
  struct {
    std::uint32_t head, tail, ring_mask, ring_entries, overflow, cqes, flags, reserved[3];
  } cq;
};
struct UringEnterArg {
  std::uint64_t signals;
  std::uint32_t signals_size, pad;
  std::uint64_t timeout;
};
static_assert(sizeof(UringEnterArg) == 24);
static_assert(sizeof(UringSqe) == 64 && sizeof(UringCqe) == 16 && sizeof(UringParams) == 120);

inline constexpr std::uint8_t kUringOpRead = 22;
inline constexpr std::uint8_t kUringFixedFile = 1, kUringAsync = 16;  // flags of a UringSqe
inline constexpr std::uint32_t kUringCoopTaskrun =
    1u << 8;  // setup: no interrupt when a read completes
inline constexpr std::uint32_t kUringSingleMmap = 1u << 0, kUringNoDrop = 1u << 1,
                               kUringHasExtArg = 1u << 8;
inline constexpr std::uint32_t kUringGetEvents = 1u << 0, kUringExtArg = 1u << 3;  // enter
inline constexpr std::uint32_t kUringRegisterFiles = 2;
inline constexpr std::uint64_t kUringSqesOffset = 0x10000000;
inline constexpr long kUringSetup = 425, kUringEnter = 426,
                      kUringRegister = 427;  // on all but old architectures

}  // namespace detail

/// A ring of at most `depth` reads.
///
/// SINGLE_ISSUER and DEFER_TASKRUN are not set: they bind a ring to the thread that made it, and
/// sessions move between threads. COOP_TASKRUN is set where the kernel has it. Not thread-safe;
/// another thread may go on. A forked child has no part in it, and can only destroy its copy.
class Uring {
 public:
  static constexpr std::size_t kLargestDepth = 32768;

  /// `files` must stay open while the ring lives. Throws IoError where io_uring does not exist or
  /// is forbidden.
  Uring(std::span<const File> files, std::size_t depth);

  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;
  ~Uring() { release(); }

  /// Queues a read; the kernel sees it at the next `enter`. At most `depth` are queued or without a
  /// result.
  void push(const UringRead& read) noexcept;

  /// Reads that are queued and that the kernel has not taken.
  std::uint32_t n_queued() const noexcept {
    return tail_ - __atomic_load_n(sq_head_, __ATOMIC_ACQUIRE);
  }

  /// Hands over what is queued and returns when `n_results` can be taken: 0, or the errno value of
  /// a refusal.
  int enter(std::uint32_t n_results) noexcept;

  /// As `enter`, but returns ETIME when `seconds`, less than one, have passed, and EINTR for a
  /// signal. Kernels before 5.11 know no time: there it returns when one result can be taken.
  int enter_for(double seconds, std::uint32_t n_results) noexcept;

  /// Takes back the read that was queued last; its tag. Only if `n_queued()` is not 0.
  std::uint64_t take_back() noexcept;

  /// Takes the next result, in the order of completion; false if there is none yet.
  bool next(UringResult& result) noexcept;

 private:
  std::byte* map(std::size_t bytes, std::uint64_t offset);

  [[noreturn]] void refuse(const char* what, int code);

  void release() noexcept;

  Origin origin_;
  int fd_ = -1;
  bool registered_ = false;
  bool has_timeout_ = false;
  std::vector<std::int32_t> descriptors_;  // of the files
  std::byte* ring_ = nullptr;
  std::size_t ring_bytes_ = 0;
  detail::UringSqe* sqes_ = nullptr;
  std::size_t sqes_bytes_ = 0;
  std::uint32_t tail_ = 0;  // of the queue, as the kernel sees it
  std::uint32_t* sq_head_ = nullptr;
  std::uint32_t* sq_tail_ = nullptr;
  std::uint32_t sq_mask_ = 0;
  std::uint32_t* cq_head_ = nullptr;
  const std::uint32_t* cq_tail_ = nullptr;
  std::uint32_t cq_mask_ = 0;
  const detail::UringCqe* cqes_ = nullptr;
};

#else

/// Other systems have no io_uring: the constructor throws IoError with ENOSYS.
class Uring {
 public:
  static constexpr std::size_t kLargestDepth = 32768;

  Uring(std::span<const File>, std::size_t) {
    throw IoError("[uring] this system has no io_uring", ENOSYS, "io_uring_setup");
  }
  void push(const UringRead&) noexcept {}
  std::uint32_t n_queued() const noexcept { return 0; }
  int enter(std::uint32_t) noexcept { return ENOSYS; }
  int enter_for(double, std::uint32_t) noexcept { return ENOSYS; }
  std::uint64_t take_back() noexcept { return 0; }
  bool next(UringResult&) noexcept { return false; }
};

#endif

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/readers/uring.ipp"
#endif
