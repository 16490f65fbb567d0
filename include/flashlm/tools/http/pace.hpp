// SPDX-License-Identifier: Apache-2.0
/// pace.hpp: requests that keep their distance, over all processes that share a file.
#pragma once

#include <filesystem>
#include <functional>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

/// Holds a lock file as long as it lives, so that there is one connection at a time, and makes each
/// `turn` wait until `interval_seconds` have passed since the last one of whoever held the lock.
/// The system frees it when a process dies.
///
/// Not thread-safe; several of them, in threads or processes, wait for each other.
class Pace {
 public:
  /// Told about ten times a second how long the wait for a turn still is, or 0 while another holds
  /// the lock. May throw.
  using Waiting = std::function<void(double seconds)>;

  /// Waits for the lock, for at most `patience_seconds`. Throws IoError, with EBUSY if that was not
  /// enough.
  Pace(std::filesystem::path lock, double interval_seconds, double patience_seconds,
       Waiting waiting = {});
  Pace(const Pace&) = delete;
  Pace& operator=(const Pace&) = delete;
  ~Pace();  // and with it the lock

  /// Returns when it is time for the next request, which then counts as made. Throws IoError.
  void turn();

 private:
  /// Seconds since 1970: a time that processes share.
  static double now();

  double remaining() const;

  void nap(double seconds, double told) const;

  void acquire(double patience_seconds) const;

  std::filesystem::path path_;
  double interval_seconds_;
  Waiting waiting_;
  int fd_ = -1;
  mutable double restarted_ = 0;
};

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/http/pace.ipp"
#endif
