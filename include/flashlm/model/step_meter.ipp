// SPDX-License-Identifier: Apache-2.0
/// step_meter.ipp: the bodies of step_meter.hpp.
#pragma once

#include "flashlm/model/step_meter.hpp"

#include <algorithm>

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE StepMeter::StepMeter(const storage::Reader& reader, const Pass& pass, Stats& stats)
    : reader_(&reader),
      pass_(&pass),
      stats_(&stats),
      earlier_(stats),
      reads_(reader.stats()),
      busy_seconds_(reader.busy_seconds()),
      waited_seconds_(pass.waited_seconds()),
      gap_bytes_(pass.gap_bytes()),
      start_(now_seconds()) {}

FLASHLM_INLINE void StepMeter::finish(std::size_t n_tokens, Phase phase,
                                      const GovernorStats& governor) {
  Stats& stats = *stats_;
  const bool decode = phase == Phase::decode;
  const double seconds = now_seconds() - start_;
  const storage::ReaderStats after = reader_->stats();
  (decode ? stats.decode_seconds : stats.prefill_seconds) += seconds;
  (decode ? stats.tokens : stats.prefill_tokens) += n_tokens;
  stats.bytes_read += after.bytes_read - reads_.bytes_read;
  stats.gap_bytes += after.gap_bytes - reads_.gap_bytes + pass_->gap_bytes() - gap_bytes_;
  stats.reads += after.reads - reads_.reads;
  stats.read_seconds += std::min(seconds, reader_->busy_seconds() - busy_seconds_);
  stats.io_seconds += pass_->waited_seconds() - waited_seconds_;
  stats.compute_seconds += seconds - (stats.io_seconds - earlier_.io_seconds) -
                           (stats.memory_seconds - earlier_.memory_seconds);
  stats.governor = governor;
  if (decode) stats.count_decode(earlier_);
}

}  // namespace flashlm::inline FLASHLM_ABI::model
