// SPDX-License-Identifier: Apache-2.0
/// stats.hpp: what a run did, in numbers.
#pragma once

#include <cstdint>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI {

/// Seconds since a steady starting point.
double now_seconds() noexcept;

namespace detail {

/// A line of /proc/self/status in bytes, or 0.
std::uint64_t process_status(const char* line) noexcept;

}  // namespace detail

/// The largest resident size of this process so far, in bytes.
///
/// Linux counts it in /proc/self/status from the start of the program; getrusage would count what
/// the parent process held when it made this one.
std::uint64_t peak_resident_bytes() noexcept;

/// The resident size of this process now, in bytes; 0 where the system does not tell.
std::uint64_t resident_bytes() noexcept;

/// What the governor of an engine saw and did. Faults and pressure count only while memory is
/// short.
struct GovernorStats {
  std::uint64_t looks = 0;    // at the system
  std::uint64_t room = 0;     // bytes to the nearest limit at the last look; 2^64 - 1 without one
  std::uint64_t shrinks = 0;  // how often pinned weights or rows of neurons were given back
  std::uint64_t shrunk_bytes = 0;  // in all
  std::uint64_t shrunk_rows = 0;   // of neurons
  std::uint64_t major_faults = 0;  // pages that had been taken from the process, and that it needed
  std::uint64_t pressure_events = 0;  // looks at a system that waited for memory
};

/// What a session has done since it began. Times are wall-clock seconds.
///
/// `decode` is a step of one token; `prefill` is everything else. Bytes and seconds "per token" and
/// the hit rate count decode only.
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
  std::uint64_t selected = 0;    // neurons that the selector chose, over all layers and tokens
  std::uint64_t evictions = 0;   // neurons that left DRAM for others
  std::uint64_t window = 0;      // tokens whose neurons stay in DRAM, now; 0: nothing stays
  double select_seconds = 0;     // choosing neurons
  double io_seconds = 0;         // computing stood still: reads were handed over or waited for
  double memory_seconds = 0;     // managing the rows in DRAM
  double compute_seconds = 0;    // the rest of the steps
  double read_seconds = 0;       // of the steps: at least one read was in flight
  std::uint64_t peak_bytes = 0;  // largest resident size of the process
  GovernorStats governor{};      // of the engine, which sessions share

  double seconds_per_token() const noexcept {
    return tokens ? decode_seconds / static_cast<double>(tokens) : 0;
  }
  double bytes_per_token() const noexcept;
  /// The share of the shorter of computing and reading that happened while the other did; 0 without
  /// either.
  double overlap() const noexcept;
  /// The share of neurons wanted in decode that were in DRAM. A prompt streams whole layers,
  /// whatever is there.
  double hit_rate() const noexcept;

  /// What was added since `before` belongs to decode.
  void count_decode(const Stats& before) noexcept;
};

}  // namespace flashlm::inline FLASHLM_ABI

#if !defined(FLASHLM_COMPILED)
#include "flashlm/base/stats.ipp"
#endif
