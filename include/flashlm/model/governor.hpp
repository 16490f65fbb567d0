// SPDX-License-Identifier: Apache-2.0
/// governor.hpp: gives memory of weights back before a limit is hit, or when having it costs more than it saves.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>

#include "flashlm/base/memory_sensor.hpp"
#include "flashlm/base/stats.hpp"

namespace flashlm::inline v0::model {

/// Decides, between two steps, how much of the memory for weights goes back to the system: rows of neurons first, since
/// not every token needs them, then pinned weights.
///
/// * Less than kLow bytes of room: as much as brings it back to kHigh. Between the two nothing happens.
/// * Room is short (below kShort), and the process waits for pages that were taken from it (major faults), or the
///   system waits for memory at all: a sixteenth, at most once in kPatience seconds.
///
/// What was given back is not taken again. A limit that falls below what is held between two steps is not seen in time:
/// the kernel then ends the process. Not thread-safe.
class Governor {
 public:
  using Sensor = std::function<MemoryState()>;

  static constexpr std::uint64_t kLow = std::uint64_t{24} << 20;
  static constexpr std::uint64_t kHigh = std::uint64_t{48} << 20;
  static constexpr std::uint64_t kShort = std::uint64_t{256} << 20;
  static constexpr std::uint64_t kManyFaults = 64;  // major faults between two looks
  static constexpr double kHighPressure = 0.1;      // of the time between two looks
  static constexpr double kPatience = 1;
  static constexpr double kInterval = 0.05;  // seconds between two looks: they cost some microseconds

  explicit Governor(Sensor sensor) : sensor_(std::move(sensor)) {}

  /// Bytes to give back now, of `held`. Allocates nothing if the sensor does not.
  std::uint64_t look(double now, std::uint64_t held) {
    if (now < next_look_) return 0;
    next_look_ = now + kInterval;
    const MemoryState state = sensor_();
    const std::uint64_t faults = seen_ ? state.major_faults - std::min(faults_, state.major_faults) : 0;
    const double pressure = seen_ ? (state.stalled_seconds - stalled_seconds_) / (now - last_look_) : 0;
    faults_ = state.major_faults;
    stalled_seconds_ = state.stalled_seconds;
    last_look_ = now;
    seen_ = true;
    ++stats_.looks;
    stats_.room = state.room;
    if (state.room < kLow) return kHigh - state.room;
    if (state.room >= kShort) return 0;
    const bool faulty = faults >= kManyFaults;
    const bool pressed = pressure >= kHighPressure;
    stats_.major_faults += faults;
    stats_.pressure_events += pressed ? 1 : 0;
    if ((!faulty && !pressed) || now < patience_) return 0;
    patience_ = now + kPatience;
    return held / 16;
  }

  /// Tells how many bytes were given back, those of rows of neurons among them.
  void gave_back(std::uint64_t bytes, std::size_t rows = 0) noexcept {
    ++stats_.shrinks;
    stats_.shrunk_bytes += bytes;
    stats_.shrunk_rows += rows;
  }

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

}  // namespace flashlm::inline v0::model
