// SPDX-License-Identifier: Apache-2.0
/// neuron_set.ipp: the bodies of neuron_set.hpp.
#pragma once

#include "flashlm/units/neuron_set.hpp"

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_INLINE void NeuronSet::clear() noexcept {
  ranges_.clear();
  size_ = 0;
}

FLASHLM_INLINE void NeuronSet::push(NeuronRange range) {
  if (range.empty()) return;
  FLASHLM_ASSERT(ranges_.empty() || ranges_.back().end <= range.begin);
  size_ += range.size();
  if (!ranges_.empty() && ranges_.back().end == range.begin) {
    ranges_.back().end = range.end;
  } else {
    ranges_.push_back(range);
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::units
