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

/// What bounds the memory of a process: nothing that is known, the machine's DRAM, a control group,
/// or one of the limits that `ulimit -v` and `ulimit -d` set.
enum class MemoryBound : std::uint8_t { none, machine, group, address_space, data };

/// One limit of memory, in bytes.
struct MemoryLimit {
  static constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

  MemoryBound bound = MemoryBound::none;
  std::uint64_t capacity = kUnlimited;  // all that the limit allows
  std::uint64_t room = kUnlimited;      // of these free, page cache that can go counted as free

  /// What memory="auto" keeps back for everybody else: a tenth of the room, at least 1 GiB; where
  /// the limit allows less than 4 GiB, at least a quarter of it; never less than 64 MiB, which the
  /// process itself needs beside its budget.
  std::uint64_t reserve() const noexcept;
  /// What a budget may take: the room without the reserve, or 0.
  std::uint64_t spare() const noexcept;
  /// "the machine's 15.6 GiB", "the control group's 400 MiB".
  std::string name() const;
};

/// What a MemorySensor saw.
struct MemoryState {
  static constexpr std::uint64_t kUnlimited = MemoryLimit::kUnlimited;

  std::uint64_t room = kUnlimited;  // bytes until the machine or a control group is full
  std::uint64_t major_faults = 0;   // of this process, since its start
  double stalled_seconds =
      0;                // in which some process of the system waited for memory, since it started
  MemoryLimit limit{};  // the one that leaves a budget the least, limits of the process among them
};

/// Reads the limits of the control groups that this process is in (version 1 and 2, and all groups
/// above it), /proc/meminfo, /proc/pressure/memory, getrlimit and getrusage. What a system does not
/// have is left out.
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
    std::string high;  // above which the kernel slows a group down; version 2 only
    std::string usage;
    std::string stat;
  };

  /// The group at `path` and those above it. In a container the path may be that of the host: then
  /// the root is ours.
  void add_groups(const std::string& root, std::string path, const char* limit, const char* usage);

  /// Bytes of a group's limit, or kUnlimited.
  static std::uint64_t limit_of(const Group& group) noexcept;

  /// Page cache and kernel caches that the kernel takes from a group before it ends a process, in
  /// bytes.
  static std::uint64_t reclaimable(const char* stat) noexcept;

  /// Keeps the limit that leaves a budget less.
  static void narrow(MemoryLimit& kept, const MemoryLimit& other) noexcept {
    if (other.spare() < kept.spare()) kept = other;
  }

  /// What the process may still map by the limits of its own.
  void look_at_process(MemoryState& state) const noexcept;

  static bool load(const std::string& path, char (&text)[kTextBytes]) noexcept;

  static bool number(const char* text, std::uint64_t& value) noexcept;

  /// The number behind a word that begins a line, or 0.
  static std::uint64_t field(const char* text, const char* word) noexcept;

  std::string meminfo_;
  std::string pressure_;
  std::string statm_;
  std::vector<Group> groups_;
};

}  // namespace flashlm::inline FLASHLM_ABI

#if !defined(FLASHLM_COMPILED)
#include "flashlm/base/memory/memory_sensor.ipp"
#endif
