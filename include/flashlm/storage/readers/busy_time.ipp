// SPDX-License-Identifier: Apache-2.0
/// busy_time.ipp: the bodies of busy_time.hpp.
#pragma once

#include "flashlm/storage/readers/busy_time.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

FLASHLM_INLINE void BusyTime::set(std::size_t n) noexcept {
  if ((n > 0) != busy_) set(n, now_seconds());
}

FLASHLM_INLINE void BusyTime::set(std::size_t n, double now) noexcept {
  if (busy_) seconds_ += now - since_;
  busy_ = n > 0;
  since_ = now;
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
