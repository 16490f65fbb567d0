// SPDX-License-Identifier: Apache-2.0
/// stats.hpp: what a run did, in numbers.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace flashlm::inline v0 {

/// Seconds since a steady starting point.
inline double now_seconds() noexcept {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

namespace detail {

/// A line of /proc/self/status in bytes, or 0.
inline std::uint64_t process_status(const char* line) noexcept {
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

/// The largest resident size of this process so far, in bytes.
///
/// Linux counts it in /proc/self/status from the start of the program; getrusage would count what the parent process
/// held when it made this one.
inline std::uint64_t peak_resident_bytes() noexcept {
  if (const std::uint64_t bytes = detail::process_status("VmHWM:")) return bytes;
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
#if defined(__APPLE__)
  return static_cast<std::uint64_t>(usage.ru_maxrss);
#else
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
#endif
}

/// The resident size of this process now, in bytes; 0 where the system does not tell.
inline std::uint64_t resident_bytes() noexcept { return detail::process_status("VmRSS:"); }

/// What the governor of an engine saw and did. Faults and pressure count only while memory is short.
struct GovernorStats {
  std::uint64_t looks = 0;            // at the system
  std::uint64_t room = 0;             // bytes to the nearest limit at the last look; 2^64 - 1 without one
  std::uint64_t shrinks = 0;          // how often pinned weights or rows of neurons were given back
  std::uint64_t shrunk_bytes = 0;     // in all
  std::uint64_t shrunk_rows = 0;      // of neurons
  std::uint64_t major_faults = 0;     // pages that had been taken from the process, and that it needed
  std::uint64_t pressure_events = 0;  // looks at a system that waited for memory
};

/// What a session has done since it began. Times are wall-clock seconds.
///
/// `decode` is a step of one token; `prefill` is everything else. Bytes and seconds "per token" and the hit rate count
/// decode only.
struct Stats {
  std::uint64_t tokens = 0;          // decoded, one step each
  std::uint64_t prefill_tokens = 0;  // computed in batches
  std::uint64_t reused_tokens = 0;   // of prompts, found in the KV cache
  double prefill_seconds = 0;
  double decode_seconds = 0;
  std::uint64_t bytes_read = 0;         // from flash, prefill and decode
  std::uint64_t decode_bytes_read = 0;  // of these, in decode
  std::uint64_t gap_bytes = 0;          // of these, read but not wanted: padding and alignment
  std::uint64_t reads = 0;              // requests
  std::uint64_t hits = 0;               // neurons wanted that were in DRAM
  std::uint64_t misses = 0;             // neurons wanted that had to be read
  std::uint64_t decode_hits = 0;        // of these, in decode
  std::uint64_t decode_misses = 0;      // of these, in decode
  std::uint64_t selected = 0;           // neurons that the selector chose, over all layers and tokens
  std::uint64_t evictions = 0;          // neurons that left DRAM for others
  std::uint64_t window = 0;             // tokens whose neurons stay in DRAM, now; 0: nothing stays
  double select_seconds = 0;            // choosing neurons
  double io_seconds = 0;                // computing stood still: reads were handed over or waited for
  double memory_seconds = 0;            // managing the rows in DRAM
  double compute_seconds = 0;           // the rest of the steps
  double read_seconds = 0;              // of the steps: at least one read was in flight
  std::uint64_t peak_bytes = 0;         // largest resident size of the process
  GovernorStats governor{};             // of the engine, which sessions share

  double seconds_per_token() const noexcept { return tokens ? decode_seconds / static_cast<double>(tokens) : 0; }
  double bytes_per_token() const noexcept {
    return tokens ? static_cast<double>(decode_bytes_read) / static_cast<double>(tokens) : 0;
  }
  /// The share of the shorter of computing and reading that happened while the other did; 0 without either.
  double overlap() const noexcept {
    const double shorter = compute_seconds < read_seconds ? compute_seconds : read_seconds;
    const double hidden = read_seconds - io_seconds;
    if (shorter <= 0 || hidden <= 0) return 0;
    return hidden < shorter ? hidden / shorter : 1;
  }
  /// The share of neurons wanted in decode that were in DRAM. A prompt streams whole layers, whatever is there.
  double hit_rate() const noexcept {
    const std::uint64_t wanted = decode_hits + decode_misses;
    return wanted ? static_cast<double>(decode_hits) / static_cast<double>(wanted) : 0;
  }

  /// What was added since `before` belongs to decode.
  void count_decode(const Stats& before) noexcept {
    decode_bytes_read += bytes_read - before.bytes_read;
    decode_hits += hits - before.hits;
    decode_misses += misses - before.misses;
  }
};

}  // namespace flashlm::inline v0
