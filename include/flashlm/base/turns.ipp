// SPDX-License-Identifier: Apache-2.0
/// turns.ipp: the bodies of turns.hpp.
#pragma once

#include "flashlm/base/turns.hpp"

#include <algorithm>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI {

FLASHLM_INLINE Turns::~Turns() {
  if (!origin_.is_here()) forget(changed_);
}

FLASHLM_INLINE void Turns::enter(const OnWait& on_wait) {
  origin_.require_here("language_model", "the model");
  const std::thread::id me = std::this_thread::get_id();
  std::unique_lock lock(mutex_);
  if (owner_.load() == me || std::find(waiting_.begin(), waiting_.end(), me) != waiting_.end()) {
    throw ArgumentError("[language_model] call: a callback may not use the model that calls it");
  }
  const std::uint64_t mine = next_++;
  if (serving_ != mine) {
    waiting_.push_back(me);
    wait(lock, mine, on_wait);
    std::erase(waiting_, me);
  }
  owner_ = me;
}

FLASHLM_INLINE void Turns::wait(std::unique_lock<std::mutex>& lock, std::uint64_t mine,
                                const OnWait& on_wait) {
  const auto is_ours = [&] { return serving_ == mine; };
  if (!on_wait) return changed_.wait(lock, is_ours);
  while (!changed_.wait_for(lock, kSlice, is_ours)) {
    lock.unlock();
    try {
      on_wait();
    } catch (...) {
      lock.lock();
      std::erase(waiting_, std::this_thread::get_id());
      give_up(mine);
      throw;
    }
    lock.lock();
  }
}

FLASHLM_INLINE void Turns::leave() noexcept {
  if (!origin_.is_here()) return;  // a child that was forked by a callback
  const std::lock_guard lock(mutex_);
  owner_ = std::thread::id();
  go_on();
}

FLASHLM_INLINE void Turns::go_on() noexcept {
  for (++serving_;; ++serving_) {
    const auto left = std::find(gone_.begin(), gone_.end(), serving_);
    if (left == gone_.end()) break;
    gone_.erase(left);
  }
  changed_.notify_all();
}

FLASHLM_INLINE void Turns::give_up(std::uint64_t mine) {
  if (serving_ == mine) return go_on();  // it came too late
  gone_.push_back(mine);
}

}  // namespace flashlm::inline FLASHLM_ABI
