// SPDX-License-Identifier: Apache-2.0
/// pace.ipp: the bodies of pace.hpp.
#pragma once

#include "flashlm/tools/http/pace.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

FLASHLM_INLINE Pace::Pace(std::filesystem::path lock, double interval_seconds,
                          double patience_seconds, Waiting waiting)
    : path_(std::move(lock)), interval_seconds_(interval_seconds), waiting_(std::move(waiting)) {
  do fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  while (fd_ < 0 && errno == EINTR);
  if (fd_ < 0) throw IoError("[pace] cannot open the lock file", errno, path_.string());
  try {
    acquire(patience_seconds);
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

FLASHLM_INLINE Pace::~Pace() { ::close(fd_); }

FLASHLM_INLINE void Pace::turn() {
  for (double left = remaining(); left > 0; left = remaining()) nap(left, left);
  char text[32];
  const int length = std::snprintf(text, sizeof text, "%.3f\n", now());
  if (::ftruncate(fd_, 0) != 0 ||
      ::pwrite(fd_, text, static_cast<std::size_t>(length), 0) != length) {
    throw IoError("[pace] cannot write the lock file", errno, path_.string());
  }
  restarted_ = 0;
}

FLASHLM_INLINE double Pace::now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

FLASHLM_INLINE double Pace::remaining() const {
  char text[32] = {};
  if (::pread(fd_, text, sizeof text - 1, 0) <= 0) return 0;
  const double passed = now() - std::strtod(text, nullptr);
  if (!std::isfinite(passed)) return 0;
  if (passed >= 0) return interval_seconds_ - passed;
  // The clock was put back, or the file holds nonsense: one whole interval from here.
  if (restarted_ == 0) restarted_ = now();
  return interval_seconds_ - std::max(0.0, now() - restarted_);
}

FLASHLM_INLINE void Pace::nap(double seconds, double told) const {
  if (waiting_) waiting_(told);
  std::this_thread::sleep_for(std::chrono::duration<double>(std::min(seconds, 0.1)));
}

FLASHLM_INLINE void Pace::acquire(double patience_seconds) const {
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(patience_seconds);
  while (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      throw IoError("[pace] cannot lock", errno, path_.string());
    if (std::chrono::steady_clock::now() >= end) {
      throw IoError(concat("[pace] another process has held the lock for ", patience_seconds, " s"),
                    EBUSY, path_.string());
    }
    nap(0.05, 0);
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::tools
