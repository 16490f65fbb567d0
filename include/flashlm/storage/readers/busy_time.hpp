// SPDX-License-Identifier: Apache-2.0
/// busy_time.hpp: for how long something was in flight.
#pragma once

#include <cstddef>

#include "flashlm/base/stats.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// Sums up the time in which a count was not zero. Looks at the clock only where it leaves or
/// reaches zero. Not thread-safe.
class BusyTime {
 public:
  /// From now on `n` are in flight.
  void set(std::size_t n) noexcept;
  void set(std::size_t n, double now) noexcept;

  /// The time so far, that of what is in flight included.
  double seconds(double now = now_seconds()) const noexcept {
    return seconds_ + (busy_ ? now - since_ : 0);
  }

 private:
  bool busy_ = false;
  double since_ = 0;
  double seconds_ = 0;
};

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/readers/busy_time.ipp"
#endif
