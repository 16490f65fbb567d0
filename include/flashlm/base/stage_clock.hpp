// SPDX-License-Identifier: Apache-2.0
/// stage_clock.hpp: the seconds of a stage of a step.
#pragma once

#include "flashlm/base/stats.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI {

/// Adds the seconds from its construction to the end of its scope, however that ends, to a sum.
///
///     { const StageClock clock(stats.io_seconds); reads.finish(); }
class StageClock {
 public:
  explicit StageClock(double& seconds) noexcept : seconds_(seconds), start_(now_seconds()) {}
  StageClock(const StageClock&) = delete;
  StageClock& operator=(const StageClock&) = delete;
  ~StageClock() { seconds_ += now_seconds() - start_; }

 private:
  double& seconds_;
  double start_;
};

}  // namespace flashlm::inline FLASHLM_ABI
