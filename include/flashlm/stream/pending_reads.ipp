// SPDX-License-Identifier: Apache-2.0
/// pending_reads.ipp: the bodies of pending_reads.hpp.
#pragma once

#include "flashlm/stream/pending_reads.hpp"

#include <algorithm>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::stream {

FLASHLM_INLINE PendingReads::~PendingReads() {
  if (!open_.empty()) reader_->drain();
}

FLASHLM_INLINE storage::Ticket PendingReads::submit(std::span<const storage::Read> reads) {
  FLASHLM_ASSERT(open_.size() < open_.capacity());
  const storage::Ticket ticket = reader_->submit(reads);
  open_.push_back(ticket);
  return ticket;
}

FLASHLM_INLINE void PendingReads::wait(storage::Ticket ticket) {
  try {
    reader_->wait(ticket);
  } catch (const Error&) {
    forget(ticket);
    throw;
  }
  forget(ticket);
}

FLASHLM_INLINE void PendingReads::settle() {
  while (!open_.empty()) {
    try {
      wait(open_.back());
    } catch (const Error&) {
      // Nobody wants these bytes.
    }
  }
}

FLASHLM_INLINE void PendingReads::forget(storage::Ticket ticket) noexcept {
  open_.erase(std::find(open_.begin(), open_.end(), ticket));
}

}  // namespace flashlm::inline FLASHLM_ABI::stream
