// SPDX-License-Identifier: Apache-2.0
/// memory_sensor.hpp: how much memory the system and its control groups still give to this process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI {

/// What a MemorySensor saw.
struct MemoryState {
  static constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

  std::uint64_t room = kUnlimited;  // bytes until the nearest limit, page cache that can go counted as free
  std::uint64_t major_faults = 0;   // of this process, since its start
  double stalled_seconds = 0;       // in which some process of the system waited for memory, since it started
};

/// Reads the limits of the control groups that this process is in (version 1 and 2, and all groups above it),
/// /proc/meminfo, /proc/pressure/memory and getrusage. What a system does not have is left out.
///
/// `read` allocates nothing. Thread-safe.
class MemorySensor {
 public:
  /// `root` is where /proc and /sys are: a test makes its own.
  explicit MemorySensor(const std::string& root = "");

  MemoryState read() const noexcept;

 private:
  static constexpr std::size_t kTextBytes = 8192;

  struct Group {
    std::string limit;
    std::string usage;
    std::string stat;
  };

  /// The group at `path` and those above it. In a container the path may be that of the host: then the root is ours.
  void add_groups(const std::string& root, std::string path, const char* limit, const char* usage);

  static bool load(const std::string& path, char (&text)[kTextBytes]) noexcept;

  static bool number(const char* text, std::uint64_t& value) noexcept;

  /// The number behind a word that begins a line, or 0.
  static std::uint64_t field(const char* text, const char* word) noexcept;

  std::string meminfo_;
  std::string pressure_;
  std::vector<Group> groups_;
};

}  // namespace flashlm::inline FLASHLM_ABI

#if !defined(FLASHLM_COMPILED)
#include "flashlm/base/memory_sensor.ipp"
#endif
