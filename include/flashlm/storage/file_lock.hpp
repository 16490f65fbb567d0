// SPDX-License-Identifier: Apache-2.0
/// file_lock.hpp: one at a time, among threads and processes of one machine.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <optional>
#include <thread>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/base/process.hpp"

namespace flashlm::inline v0::storage {

/// Holds a lock file as long as it lives. The system gives it back when the process ends, however it ends.
///
/// The file stays, empty: to remove it would let two in. A process that was forked meanwhile holds no part of the lock.
class FileLock {
 public:
  /// The lock, or nothing if somebody else held it for all of `patience`. Throws IoError if there can be no lock.
  static std::optional<FileLock> acquire(const std::filesystem::path& path, std::chrono::milliseconds patience = {}) {
    int fd;
    do fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) throw IoError("[file_lock] cannot open", errno, path.string());
    FileLock lock(fd);
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno != EWOULDBLOCK) throw IoError("[file_lock] cannot lock", errno, path.string());
      if (std::chrono::steady_clock::now() >= deadline) return std::nullopt;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return lock;
  }

  FileLock(FileLock&& other) noexcept : origin_(other.origin_), fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock() {
    if (fd_ < 0) return;
    // Closing would not do: a forked child has the open file too, for as long as it lives.
    if (origin_.is_here()) ::flock(fd_, LOCK_UN);
    ::close(fd_);
  }

 private:
  explicit FileLock(int fd) noexcept : fd_(fd) {}

  Origin origin_;
  int fd_;
};

}  // namespace flashlm::inline v0::storage
