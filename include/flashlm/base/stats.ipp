// SPDX-License-Identifier: Apache-2.0
/// stats.ipp: the bodies of stats.hpp.
#pragma once

#include "flashlm/base/stats.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>

namespace flashlm::inline FLASHLM_ABI {

FLASHLM_INLINE double now_seconds() noexcept {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

namespace detail {

FLASHLM_INLINE std::uint64_t process_status(const char* line) noexcept {
#if defined(__linux__)
  char text[4096];
  const int status = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  const ssize_t length = status < 0 ? -1 : ::read(status, text, sizeof text - 1);
  if (status >= 0) ::close(status);
  if (length > 0) {
    text[length] = '\0';
    if (const char* found = std::strstr(text, line))
      return std::strtoull(found + std::strlen(line), nullptr, 10) * 1024;
  }
#else
  static_cast<void>(line);
#endif
  return 0;
}

}  // namespace detail

FLASHLM_INLINE std::uint64_t peak_resident_bytes() noexcept {
  if (const std::uint64_t bytes = detail::process_status("VmHWM:")) return bytes;
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
#if defined(__APPLE__)
  return static_cast<std::uint64_t>(usage.ru_maxrss);
#else
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
#endif
}

FLASHLM_INLINE std::uint64_t resident_bytes() noexcept { return detail::process_status("VmRSS:"); }

FLASHLM_INLINE double Stats::bytes_per_token() const noexcept {
  return tokens ? static_cast<double>(decode_bytes_read) / static_cast<double>(tokens) : 0;
}

FLASHLM_INLINE double Stats::overlap() const noexcept {
  const double shorter = compute_seconds < read_seconds ? compute_seconds : read_seconds;
  const double hidden = read_seconds - io_seconds;
  if (shorter <= 0 || hidden <= 0) return 0;
  return hidden < shorter ? hidden / shorter : 1;
}

FLASHLM_INLINE double Stats::hit_rate() const noexcept {
  const std::uint64_t wanted = decode_hits + decode_misses;
  return wanted ? static_cast<double>(decode_hits) / static_cast<double>(wanted) : 0;
}

FLASHLM_INLINE void Stats::count_decode(const Stats& before) noexcept {
  decode_bytes_read += bytes_read - before.bytes_read;
  decode_hits += hits - before.hits;
  decode_misses += misses - before.misses;
}

}  // namespace flashlm::inline FLASHLM_ABI
