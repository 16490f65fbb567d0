// SPDX-License-Identifier: Apache-2.0
/// beside_file.ipp: the bodies of beside_file.hpp.
#pragma once

#include "flashlm/storage/io/beside_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <utility>

#include "flashlm/base/error.hpp"

#if defined(__linux__)
#include <sys/vfs.h>
#endif

namespace flashlm::inline FLASHLM_ABI::storage {

namespace detail {

/// Whether a lock may hold on one machine only, so that a file without one may be another
/// machine's.
inline bool is_shared(int fd) noexcept {
#if defined(__linux__)
  // statfs(2): nfs, smb, cifs, smb2, fuse, 9p, afs, ceph, lustre.
  constexpr std::array<std::uint32_t, 9> kShared = {0x6969,     0x517b,     0xff534d42,
                                                    0xfe534d42, 0x65735546, 0x01021997,
                                                    0x5346414f, 0x00c36400, 0x0bd00bd0};
  struct statfs system{};
  return ::fstatfs(fd, &system) != 0 ||
         std::find(kShared.begin(), kShared.end(), static_cast<std::uint32_t>(system.f_type)) !=
             kShared.end();
#else
  static_cast<void>(fd);
  return false;
#endif
}

FLASHLM_ONCE void remove_if_abandoned(const std::filesystem::path& path, bool folders) {
  constexpr std::time_t kDay = 24 * 60 * 60;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return;
  struct stat status{};
  const bool ours = ::fstat(fd, &status) == 0 && status.st_uid == ::geteuid() &&
                    (S_ISREG(status.st_mode) || (folders && S_ISDIR(status.st_mode)));
  if (ours && ::flock(fd, LOCK_EX | LOCK_NB) == 0 &&
      (!is_shared(fd) || status.st_mtime + kDay < std::time(nullptr))) {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  ::close(fd);
}

}  // namespace detail

FLASHLM_ONCE bool claim(int fd) noexcept {
  ::flock(fd, LOCK_EX | LOCK_NB);
  struct stat status{};
  return ::fstat(fd, &status) == 0 && status.st_nlink > 0;
}

FLASHLM_ONCE BesideFile::BesideFile(std::filesystem::path target) : target_(std::move(target)) {
  remove_leftovers(target_);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    path_ = target_;
    path_ += concat(kSuffix, ::getpid(), "-", counter().fetch_add(1, std::memory_order_relaxed));
    do fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    while (fd_ < 0 && errno == EINTR);
    if (fd_ < 0 && errno == EEXIST)
      continue;  // of a process with our number in another container, or long gone
    if (fd_ < 0) throw IoError("[file_writer] cannot create", errno, path_.string());
    if (claim(fd_)) return;
    ::close(std::exchange(fd_, -1));
  }
  throw IoError("[file_writer] cannot create", EEXIST, path_.string());
}

FLASHLM_ONCE BesideFile::~BesideFile() {
  if (fd_ < 0) return;
  struct stat ours{}, there{};
  if (origin_.is_here() && !replaced_ && ::fstat(fd_, &ours) == 0 &&
      ::lstat(path_.c_str(), &there) == 0 && ours.st_ino == there.st_ino) {
    ::unlink(path_.c_str());
  }
  ::close(fd_);
}

FLASHLM_ONCE void BesideFile::replace() {
  if (::rename(path_.c_str(), target_.c_str()) != 0) {
    throw IoError("[file_writer] cannot rename to", errno, target_.string());
  }
  replaced_ = true;
}

FLASHLM_ONCE std::atomic<unsigned>& BesideFile::counter() noexcept {
  static std::atomic<unsigned> count{0};
  return count;
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
