// SPDX-License-Identifier: Apache-2.0
/// process.ipp: the bodies of process.hpp.
#pragma once

#include "flashlm/base/process.hpp"

#include <pthread.h>
#include <unistd.h>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI {

FLASHLM_INLINE Origin::Origin() noexcept
    : forks_(forks().load(std::memory_order_relaxed)), pid_(::getpid()) {}

FLASHLM_INLINE void Origin::require_here(const char* where, const char* what) const {
  if (is_here()) return;
  throw Error(concat("[", where, "] process: expected the one that opened ", what, " (process ",
                     pid_, "), got a fork of it (process ", ::getpid(), "). Open ", what,
                     " in the child, or start children by \"spawn\"."));
}

FLASHLM_INLINE std::atomic<std::uint64_t>& Origin::forks() noexcept {
  static std::atomic<std::uint64_t> count{0};
  static const int registered =
      ::pthread_atfork(nullptr, nullptr, [] { count.fetch_add(1, std::memory_order_relaxed); });
  static_cast<void>(registered);
  return count;
}

FLASHLM_INLINE void ForkMutex::lock() {
  if (origin_.is_here()) mutex_.lock();
}

FLASHLM_INLINE void ForkMutex::unlock() noexcept {
  if (origin_.is_here()) mutex_.unlock();
}

}  // namespace flashlm::inline FLASHLM_ABI
