// SPDX-License-Identifier: Apache-2.0
/// governor.hpp: gives memory of weights back before a limit is hit, or when having it costs more
/// than it saves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

#include "flashlm/base/memory/memory_sensor.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// Decides, between two steps, how much of the memory for weights goes back to the system: rows of
/// neurons first, since not every token needs them, then pinned weights.
///
/// * Less than kLow bytes of room: as much as brings it back to kHigh. Between the two nothing
/// happens.
/// * Room is short (below kShort), and the process waits for pages that were taken from it (major
/// faults), or the
///   system waits for memory at all: a sixteenth, at most once in kPatience seconds.
///
/// What was given back is not taken again. A limit that falls below what is held between two steps
/// is not seen in time: the kernel then ends the process. Not thread-safe.
class Governor {
 public:
  using Sensor = std::function<MemoryState()>;

  static constexpr std::uint64_t kLow = std::uint64_t{24} << 20;
  static constexpr std::uint64_t kHigh = std::uint64_t{48} << 20;
  static constexpr std::uint64_t kShort = std::uint64_t{256} << 20;
  static constexpr std::uint64_t kManyFaults = 64;  // major faults between two looks
  static constexpr double kHighPressure = 0.1;      // of the time between two looks
  static constexpr double kPatience = 1;
  static constexpr double kInterval =
      0.05;  // seconds between two looks: they cost some microseconds

  explicit Governor(Sensor sensor) : sensor_(std::move(sensor)) {}

  /// Bytes to give back now, of `held`. Allocates nothing if the sensor does not.
  std::uint64_t look(double now, std::uint64_t held);

  /// Tells how many bytes were given back, those of rows of neurons among them.
  void gave_back(std::uint64_t bytes, std::size_t rows = 0) noexcept;

  const GovernorStats& stats() const noexcept { return stats_; }

 private:
  Sensor sensor_;
  GovernorStats stats_;
  double next_look_ = 0;
  double last_look_ = 0;
  double stalled_seconds_ = 0;
  double patience_ = 0;
  std::uint64_t faults_ = 0;
  bool seen_ = false;
};

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/plan/governor.ipp"
#endif
