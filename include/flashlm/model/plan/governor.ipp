// SPDX-License-Identifier: Apache-2.0
/// governor.ipp: the bodies of governor.hpp.
#pragma once

#include "flashlm/model/plan/governor.hpp"

#include <algorithm>

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE std::uint64_t Governor::look(double now, std::uint64_t held) {
  if (now < next_look_) return 0;
  next_look_ = now + kInterval;
  const MemoryState state = sensor_();
  const std::uint64_t faults =
      seen_ ? state.major_faults - std::min(faults_, state.major_faults) : 0;
  const double pressure =
      seen_ ? (state.stalled_seconds - stalled_seconds_) / (now - last_look_) : 0;
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

FLASHLM_INLINE void Governor::gave_back(std::uint64_t bytes, std::size_t rows) noexcept {
  ++stats_.shrinks;
  stats_.shrunk_bytes += bytes;
  stats_.shrunk_rows += rows;
}

}  // namespace flashlm::inline FLASHLM_ABI::model
