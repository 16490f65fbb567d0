// SPDX-License-Identifier: Apache-2.0
/// memory_sensor.ipp: the bodies of memory_sensor.hpp.
#pragma once

#include "flashlm/base/memory_sensor.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace flashlm::inline FLASHLM_ABI {

FLASHLM_INLINE MemorySensor::MemorySensor(const std::string& root)
    : meminfo_(root + "/proc/meminfo"), pressure_(root + "/proc/pressure/memory") {
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (controllers == ",,") add_groups(root + "/sys/fs/cgroup", path, "memory.max", "memory.current");
    if (controllers.find(",memory,") == std::string::npos) continue;
    add_groups(root + "/sys/fs/cgroup/memory", path, "memory.limit_in_bytes", "memory.usage_in_bytes");
  }
}

FLASHLM_INLINE MemoryState MemorySensor::read() const noexcept {
  MemoryState state;
  char text[kTextBytes];
  for (const Group& group : groups_) {
    std::uint64_t limit = 0, used = 0;
    // "max", and in version 1 a number near 2^63, are no limit.
    if (!load(group.limit, text) || !number(text, limit) || limit >= std::uint64_t{1} << 60) continue;
    if (!load(group.usage, text) || !number(text, used)) continue;
    if (load(group.stat, text)) {
      const std::uint64_t cache = field(text, "inactive_file ") + field(text, "active_file ");
      used -= std::min(used, cache);
    }
    state.room = std::min(state.room, limit - std::min(limit, used));
  }
  if (load(meminfo_, text) && std::strstr(text, "MemAvailable:") != nullptr) {
    state.room = std::min(state.room, field(text, "MemAvailable:") * 1024);
  }
  if (load(pressure_, text)) {
    // Not its averages: they still tell of what another process did many seconds ago.
    if (const char* total = std::strstr(text, "total=")) state.stalled_seconds = 1e-6 * std::strtod(total + 6, nullptr);
  }
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) state.major_faults = static_cast<std::uint64_t>(usage.ru_majflt);
  return state;
}

FLASHLM_INLINE void MemorySensor::add_groups(const std::string& root, std::string path, const char* limit,
                                             const char* usage) {
  for (;; path.resize(path.rfind('/'))) {
    const std::string folder = root + (path == "/" ? "" : path) + "/";
    if (::access((folder + usage).c_str(), R_OK) == 0) {
      groups_.push_back({folder + limit, folder + usage, folder + "memory.stat"});
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
    if (std::strncmp(line, word, std::strlen(word)) == 0) return std::strtoull(line + std::strlen(word), nullptr, 10);
  }
  return 0;
}

}  // namespace flashlm::inline FLASHLM_ABI
