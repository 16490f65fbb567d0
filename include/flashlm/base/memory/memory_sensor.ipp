// SPDX-License-Identifier: Apache-2.0
/// memory_sensor.ipp: the bodies of memory_sensor.hpp.
#pragma once

#include "flashlm/base/memory/memory_sensor.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "flashlm/base/error.hpp"
#include "flashlm/base/units.hpp"

namespace flashlm::inline FLASHLM_ABI {

FLASHLM_INLINE std::uint64_t MemoryLimit::reserve() const noexcept {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 30, kLeast = std::uint64_t{64} << 20;
  if (bound == MemoryBound::none) return 0;
  return std::max(room / 10, std::clamp(capacity / 4, kLeast, kMost));
}

FLASHLM_INLINE std::uint64_t MemoryLimit::spare() const noexcept {
  return room - std::min(room, reserve());
}

FLASHLM_INLINE std::string MemoryLimit::name() const {
  const std::string size = capacity == kUnlimited ? std::string("memory") : format_bytes(capacity);
  switch (bound) {
    case MemoryBound::none: break;
    case MemoryBound::machine: return concat("the machine's ", size);
    case MemoryBound::group: return concat("the control group's ", size);
    case MemoryBound::address_space:
      return concat("the ", size, " of address space that ulimit -v allows");
    case MemoryBound::data: return concat("the ", size, " of data that ulimit -d allows");
  }
  return "no known limit";
}

FLASHLM_INLINE MemorySensor::MemorySensor(const std::string& root)
    : meminfo_(root + "/proc/meminfo"),
      pressure_(root + "/proc/pressure/memory"),
      statm_(root + "/proc/self/statm") {
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (controllers == ",,")
      add_groups(root + "/sys/fs/cgroup", path, "memory.max", "memory.current");
    if (controllers.find(",memory,") == std::string::npos) continue;
    add_groups(root + "/sys/fs/cgroup/memory", path, "memory.limit_in_bytes",
               "memory.usage_in_bytes");
  }
}

FLASHLM_INLINE MemoryState MemorySensor::read() const noexcept {
  MemoryState state;
  const auto count = [&state](MemoryBound bound, std::uint64_t capacity, std::uint64_t room) {
    state.room = std::min(state.room, room);
    narrow(state.limit, {bound, capacity, room});
  };
  char text[kTextBytes];
  for (const Group& group : groups_) {
    const std::uint64_t limit = limit_of(group);
    std::uint64_t used = 0;
    if (limit == MemoryState::kUnlimited || !load(group.usage, text) || !number(text, used))
      continue;
    if (load(group.stat, text)) used -= std::min(used, reclaimable(text));
    count(MemoryBound::group, limit, limit - std::min(limit, used));
  }
  if (load(meminfo_, text) && std::strstr(text, "MemAvailable:") != nullptr) {
    const std::uint64_t total = field(text, "MemTotal:");
    count(MemoryBound::machine, total != 0 ? total * 1024 : MemoryState::kUnlimited,
          field(text, "MemAvailable:") * 1024);
  }
  look_at_process(state);
  if (load(pressure_, text)) {
    // Not its averages: they still tell of what another process did many seconds ago.
    if (const char* total = std::strstr(text, "total="))
      state.stalled_seconds = 1e-6 * std::strtod(total + 6, nullptr);
  }
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0)
    state.major_faults = static_cast<std::uint64_t>(usage.ru_majflt);
  return state;
}

FLASHLM_INLINE std::uint64_t MemorySensor::limit_of(const Group& group) noexcept {
  char text[kTextBytes];
  std::uint64_t least = MemoryState::kUnlimited;
  for (const std::string* path : {&group.limit, &group.high}) {
    std::uint64_t limit = 0;
    // "max", and in version 1 a number near 2^63, are no limit.
    if (path->empty() || !load(*path, text) || !number(text, limit) ||
        limit >= std::uint64_t{1} << 60)
      continue;
    least = std::min(least, limit);
  }
  return least;
}

FLASHLM_INLINE std::uint64_t MemorySensor::reclaimable(const char* stat) noexcept {
  // Version 1 counts a group alone, and with total_ those below it too, as its limit does; version
  // 2 always does.
  if (std::strstr(stat, "total_inactive_file ") != nullptr) {
    return field(stat, "total_inactive_file ") + field(stat, "total_active_file ");
  }
  return field(stat, "inactive_file ") + field(stat, "active_file ") +
         field(stat, "slab_reclaimable ");
}

FLASHLM_INLINE void MemorySensor::look_at_process(MemoryState& state) const noexcept {
  char text[kTextBytes];
  if (!load(statm_, text)) return;
  std::uint64_t pages[6] = {};  // size, resident, shared, text, lib, data and stack
  const char* at = text;
  for (std::uint64_t& n : pages) {
    char* end = nullptr;
    n = std::strtoull(at, &end, 10);
    if (end == at) return;
    at = end;
  }
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const auto count = [&](auto which, MemoryBound bound, std::uint64_t used) {
    rlimit limit{};
    if (::getrlimit(which, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
    const auto most = static_cast<std::uint64_t>(limit.rlim_cur);
    narrow(state.limit, {bound, most, most - std::min(most, used)});
  };
  count(RLIMIT_AS, MemoryBound::address_space, pages[0] * page);
  count(RLIMIT_DATA, MemoryBound::data, pages[5] * page);
}

FLASHLM_INLINE void MemorySensor::add_groups(const std::string& root, std::string path,
                                             const char* limit, const char* usage) {
  for (;; path.resize(path.rfind('/'))) {
    const std::string folder = root + (path == "/" ? "" : path) + "/";
    if (::access((folder + usage).c_str(), R_OK) == 0) {
      const std::string high =
          std::strcmp(limit, "memory.max") == 0 ? folder + "memory.high" : std::string();
      groups_.push_back({folder + limit, high, folder + usage, folder + "memory.stat"});
    }
    if (path.empty() || path == "/" || path.rfind('/') == std::string::npos) return;
  }
}

FLASHLM_INLINE bool MemorySensor::load(const std::string& path, char (&text)[kTextBytes]) noexcept {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t length = ::read(file, text, kTextBytes - 1);
  ::close(file);
  text[std::max<ssize_t>(length, 0)] = '\0';
  return length > 0;
}

FLASHLM_INLINE bool MemorySensor::number(const char* text, std::uint64_t& value) noexcept {
  char* end = nullptr;
  value = std::strtoull(text, &end, 10);
  return end != text;
}

FLASHLM_INLINE std::uint64_t MemorySensor::field(const char* text, const char* word) noexcept {
  for (const char* line = text; line != nullptr; line = std::strchr(line, '\n')) {
    if (*line == '\n') ++line;
    if (std::strncmp(line, word, std::strlen(word)) == 0)
      return std::strtoull(line + std::strlen(word), nullptr, 10);
  }
  return 0;
}

}  // namespace flashlm::inline FLASHLM_ABI
