// SPDX-License-Identifier: Apache-2.0
/// file_lock.ipp: the bodies of file_lock.hpp.
#pragma once

#include "flashlm/storage/io/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

FLASHLM_ONCE std::optional<FileLock> FileLock::acquire(const std::filesystem::path& path,
                                                       std::chrono::milliseconds patience) {
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

FLASHLM_ONCE FileLock::~FileLock() {
  if (fd_ < 0) return;
  // Closing would not do: a forked child has the open file too, for as long as it lives.
  if (origin_.is_here()) ::flock(fd_, LOCK_UN);
  ::close(fd_);
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
