// SPDX-License-Identifier: Apache-2.0
/// beside_file.hpp: a file that is written beside its place, and what killed processes left of such files.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/vfs.h>
#endif

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/base/process.hpp"

namespace flashlm::inline v0::storage {

namespace detail {

/// Whether a lock may hold on one machine only, so that a file without one may be another machine's.
inline bool is_shared(int fd) noexcept {
#if defined(__linux__)
  // statfs(2): nfs, smb, cifs, smb2, fuse, 9p, afs, ceph, lustre.
  constexpr std::array<std::uint32_t, 9> kShared = {0x6969,     0x517b,     0xff534d42, 0xfe534d42, 0x65735546,
                                                    0x01021997, 0x5346414f, 0x00c36400, 0x0bd00bd0};
  struct statfs system{};
  return ::fstatfs(fd, &system) != 0 ||
         std::find(kShared.begin(), kShared.end(), static_cast<std::uint32_t>(system.f_type)) != kShared.end();
#else
  static_cast<void>(fd);
  return false;
#endif
}

/// Removes what stands at `path` if it is this user's and was left by a writer that is gone: every writer of ours holds
/// a lock on what it writes, which ends with the process, however that ends. (The number of a process would not tell:
/// it is used again.)
inline void remove_if_abandoned(const std::filesystem::path& path, bool folders) {
  constexpr std::time_t kDay = 24 * 60 * 60;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return;
  struct stat status{};
  const bool ours = ::fstat(fd, &status) == 0 && status.st_uid == ::geteuid() &&
                    (S_ISREG(status.st_mode) || (folders && S_ISDIR(status.st_mode)));
  if (ours && ::flock(fd, LOCK_EX | LOCK_NB) == 0 && (!is_shared(fd) || status.st_mtime + kDay < std::time(nullptr))) {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  ::close(fd);
}

}  // namespace detail

/// Holds the lock that says "not abandoned" as long as `fd`, a new file, is open; false if it was removed before.
///
/// Where the file system has no locks nothing is held: nobody takes a file for abandoned there either.
inline bool claim(int fd) noexcept {
  ::flock(fd, LOCK_EX | LOCK_NB);
  struct stat status{};
  return ::fstat(fd, &status) == 0 && status.st_nlink > 0;
}

/// Removes the files of `folder`, and its folders if so wanted, whose names begin with `prefix`, end in characters of
/// `tail`, one or more, and whose writers are gone. What cannot be looked at or removed stays.
///
/// On a file system that other machines share a lock may not be seen: there only what is a day old goes.
inline void remove_abandoned(const std::filesystem::path& folder, std::string_view prefix, std::string_view tail,
                             bool folders = false) noexcept try {
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator(folder.empty() ? std::filesystem::path(".") : folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.size() <= prefix.size() || !name.starts_with(prefix)) continue;
    if (name.find_first_not_of(tail, prefix.size()) != std::string::npos) continue;
    detail::remove_if_abandoned(entry.path(), folders);
  }
} catch (const std::exception&) {
  // A folder that changes meanwhile, or no memory: the next writer sees to it.
}

/// An empty file beside `target`, to be written by its name, that takes the target's place as a whole or goes again.
///
/// Files that killed processes left beside the same target go first. Thread-safe, in that each has a name of its own.
class BesideFile {
 public:
  /// Throws IoError if it cannot be made.
  explicit BesideFile(std::filesystem::path target) : target_(std::move(target)) {
    remove_leftovers(target_);
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      path_ = target_;
      path_ += concat(kSuffix, ::getpid(), "-", counter().fetch_add(1, std::memory_order_relaxed));
      do fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      while (fd_ < 0 && errno == EINTR);
      if (fd_ < 0 && errno == EEXIST) continue;  // of a process with our number in another container, or long gone
      if (fd_ < 0) throw IoError("[file_writer] cannot create", errno, path_.string());
      if (claim(fd_)) return;
      ::close(std::exchange(fd_, -1));
    }
    throw IoError("[file_writer] cannot create", EEXIST, path_.string());
  }

  BesideFile(const BesideFile&) = delete;
  BesideFile& operator=(const BesideFile&) = delete;
  ~BesideFile() {
    if (fd_ < 0) return;
    struct stat ours{}, there{};
    if (origin_.is_here() && !replaced_ && ::fstat(fd_, &ours) == 0 && ::lstat(path_.c_str(), &there) == 0 &&
        ours.st_ino == there.st_ino) {
      ::unlink(path_.c_str());
    }
    ::close(fd_);
  }

  /// Where to write.
  const std::filesystem::path& path() const noexcept { return path_; }

  /// The written file takes the target's place. Throws IoError; what stood there is then untouched.
  void replace() {
    if (::rename(path_.c_str(), target_.c_str()) != 0) {
      throw IoError("[file_writer] cannot rename to", errno, target_.string());
    }
    replaced_ = true;
  }

  /// Removes what killed processes left beside `target`.
  static void remove_leftovers(const std::filesystem::path& target) noexcept try {
    remove_abandoned(target.parent_path(), target.filename().string() + kSuffix, "0123456789-");
  } catch (const std::exception&) {
    // No memory for a name.
  }

 private:
  static constexpr const char* kSuffix = ".part-";
  static constexpr int kAttempts = 100;

  static std::atomic<unsigned>& counter() noexcept {
    static std::atomic<unsigned> count{0};
    return count;
  }

  Origin origin_;
  std::filesystem::path target_;
  std::filesystem::path path_;
  int fd_ = -1;
  bool replaced_ = false;
};

}  // namespace flashlm::inline v0::storage
