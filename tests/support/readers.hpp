// SPDX-License-Identifier: Apache-2.0
/// readers.hpp: every reader of files that this system has, and rings and kernels that misbehave.
#pragma once

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <unordered_map>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/io/file.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/storage/readers/threads_reader.hpp"
#include "flashlm/storage/readers/uring_reader.hpp"

#if defined(__linux__)
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#endif

namespace support {

/// Whether this system lets us use io_uring: containers often do not.
inline bool uring_allowed() {
  try {
    flashlm::storage::Uring ring({}, 1);
    return true;
  } catch (const flashlm::IoError&) {
    return false;
  }
}

struct ReaderKind {
  std::string name;
  std::function<std::unique_ptr<flashlm::storage::Reader>(std::span<const flashlm::storage::File>,
                                                          std::size_t capacity)>
      make;
};

/// The readers of files that work here.
inline std::vector<ReaderKind> reader_kinds() {
  using Files = std::span<const flashlm::storage::File>;
  std::vector<ReaderKind> kinds;
  for (const int n_threads : {1, 4}) {
    kinds.push_back(
        {flashlm::concat("threads, ", n_threads), [n_threads](Files files, std::size_t capacity) {
           return std::make_unique<flashlm::storage::ThreadsReader>(
               files, flashlm::storage::ThreadsReaderOptions{n_threads, capacity});
         }});
  }
  if (uring_allowed()) {
    kinds.push_back({"uring", [](Files files, std::size_t capacity) {
                       return std::make_unique<flashlm::storage::UringReader>(
                           files, flashlm::storage::UringReaderOptions{capacity, capacity});
                     }});
  }
  return kinds;
}

/// A ring whose results are changed by the test, and whose kernel may refuse to be entered.
class FaultyRing : public flashlm::storage::Uring {
 public:
  /// What becomes of a result: a smaller number of bytes leaves the rest of the buffer poisoned.
  static inline std::function<int(const flashlm::storage::UringRead&, int code)> change;
  /// What `enter` returns without entering, or 0 to enter.
  static inline std::function<int()> refuse;

  using Uring::Uring;

  void push(const flashlm::storage::UringRead& read) noexcept {
    reads_[read.tag] = read;
    Uring::push(read);
  }

  /// As often as the test wants, a wait with a time ends without a result.
  static inline int slow = 0;
  /// No result comes.
  static inline bool stalled = false;

  int enter_for(double seconds, std::uint32_t n_results) noexcept {
    if (stalled) return ETIME;
    if (slow <= 0) return Uring::enter_for(seconds, n_results);
    --slow;
    return ETIME;
  }

  int enter(std::uint32_t n_results) noexcept {
    const int code = refuse ? refuse() : 0;
    return code != 0 ? code : Uring::enter(n_results);
  }

  bool next(flashlm::storage::UringResult& result) noexcept {
    if (stalled || !Uring::next(result)) return false;
    const flashlm::storage::UringRead& read = reads_[result.tag];
    if (change) result.code = std::min(result.code, change(read, result.code));
    const auto valid = static_cast<std::size_t>(std::max(result.code, 0));
    std::fill(read.into + valid, read.into + read.bytes, std::byte{0xee});
    return true;
  }

 private:
  std::unordered_map<std::uint64_t, flashlm::storage::UringRead> reads_;
};

#if defined(__linux__)

/// Runs `action` in a child process; what it returned, or -1.
inline int in_child(const std::function<int()>& action) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      ::_exit(action());
    } catch (...) {
      ::_exit(98);
    }
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// From now on the system call fails with `code` in this process, as in a container that forbids
/// it; if a number is given, only where its first argument is larger.
inline void forbid(long system_call, int code, std::uint32_t above = 0) {
  const bool any = above == 0;
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(system_call), 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
               offsetof(seccomp_data, args[0])),  // its low half: little-endian
      BPF_JUMP(BPF_JMP | static_cast<std::uint16_t>(any ? BPF_JGE : BPF_JGT) | BPF_K, above, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(code)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{6, filter};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    throw std::system_error(errno, std::generic_category(), "seccomp");
  }
}

#endif

}  // namespace support
