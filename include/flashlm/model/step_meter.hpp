// SPDX-License-Identifier: Apache-2.0
/// step_meter.hpp: what one step adds to the statistics of its session.
#pragma once

#include <cstddef>
#include <cstdint>

#include "flashlm/base/stats.hpp"
#include "flashlm/model/batch.hpp"
#include "flashlm/model/pass.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// Looks at clocks and counters when a step begins, and again when it is done.
class StepMeter {
 public:
  /// All must outlive this object.
  StepMeter(const storage::Reader& reader, const Pass& pass, Stats& stats);

  /// Adds a step of `n_tokens` to the statistics.
  void finish(std::size_t n_tokens, Phase phase, const GovernorStats& governor);

 private:
  const storage::Reader* reader_;
  const Pass* pass_;
  Stats* stats_;
  Stats earlier_;
  storage::ReaderStats reads_;
  double busy_seconds_;
  double waited_seconds_;
  std::uint64_t gap_bytes_;
  double start_;
};

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/step_meter.ipp"
#endif
