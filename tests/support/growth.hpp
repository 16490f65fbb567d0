// SPDX-License-Identifier: Apache-2.0
/// growth.hpp: whether the cost of a function grows as its input does, on a machine of any speed
/// and load.
#pragma once

#include <time.h>

#include <algorithm>
#include <limits>

namespace support {

/// Seconds that this thread has computed: what waits, or is stopped, spends none.
inline double thread_seconds() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// What one call with `times` the input costs, over `times` calls with the input: about 1 where a
/// cost grows as the input does, about `times` where it grows as its square.
///
/// It is the least of several tries, which end when it is below `enough`: neighbours on the
/// machine, which take caches and time away, spoil one or the other.
template <class Small, class Large>
double growth(int times, double enough, Small&& small, Large&& large) {
  double least = std::numeric_limits<double>::infinity();
  for (int attempt = 0; attempt < 20 && least >= enough; ++attempt) {
    const double start = thread_seconds();
    for (int call = 0; call < times; ++call) small();
    const double middle = thread_seconds();
    large();
    least = std::min(least, (thread_seconds() - middle) / std::max(middle - start, 1e-9));
  }
  return least;
}

}  // namespace support
