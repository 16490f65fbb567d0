// SPDX-License-Identifier: Apache-2.0
/// stopwatch.hpp: how long a wait was, for tests that expect one of at least so long.
#pragma once

#include <algorithm>
#include <chrono>

namespace support {

/// The time since it was made, on the clock that says more: where a machine stands still, one of
/// its clocks may go on or be set forward afterwards, and a wait by that clock is over.
/// Thread-safe.
class Stopwatch {
 public:
  double seconds() const {
    const std::chrono::duration<double> steady = std::chrono::steady_clock::now() - steady_;
    const std::chrono::duration<double> system = std::chrono::system_clock::now() - system_;
    return std::max(steady.count(), system.count());
  }

 private:
  std::chrono::steady_clock::time_point steady_ = std::chrono::steady_clock::now();
  std::chrono::system_clock::time_point system_ = std::chrono::system_clock::now();
};

}  // namespace support
