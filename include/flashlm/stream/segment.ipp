// SPDX-License-Identifier: Apache-2.0
/// segment.ipp: the bodies of segment.hpp.
#pragma once

#include "flashlm/stream/segment.hpp"

#include "flashlm/base/memory/aligned_buffer.hpp"

namespace flashlm::inline FLASHLM_ABI::stream {

FLASHLM_INLINE std::size_t Ring::bytes() const noexcept {
  return n_slots * round_up(slot_bytes, kPageBytes);
}

}  // namespace flashlm::inline FLASHLM_ABI::stream
