// SPDX-License-Identifier: Apache-2.0
/// file_lock.hpp: one at a time, among threads and processes of one machine.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <utility>

#include "flashlm/base/process.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// Holds a lock file as long as it lives. The system gives it back when the process ends, however
/// it ends.
///
/// The file stays, empty: to remove it would let two in. A process that was forked meanwhile holds
/// no part of the lock.
class FileLock {
 public:
  /// The lock, or nothing if somebody else held it for all of `patience`. Throws IoError if there
  /// can be no lock.
  static std::optional<FileLock> acquire(const std::filesystem::path& path,
                                         std::chrono::milliseconds patience = {});

  FileLock(FileLock&& other) noexcept : origin_(other.origin_), fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) noexcept : fd_(fd) {}

  Origin origin_;
  int fd_;
};

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/io/file_lock.ipp"
#endif
