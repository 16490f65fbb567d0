// SPDX-License-Identifier: Apache-2.0
/// turns.hpp: one thread at a time, in the order in which they came.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/process.hpp"

namespace flashlm::inline v0 {

/// A lock for work that takes long: fair, so that nobody starves behind a thread that asks again at once; a wait can be
/// ended; and neither a callback nor a forked child hangs in it.
///
///     const Turns::Turn turn(turns, on_wait);      // held until the end of the block
class Turns {
 public:
  /// Called about ten times a second while a thread waits for its turn; may throw to stop waiting: Ctrl-C.
  using OnWait = std::function<void()>;

  class Turn {
   public:
    /// Throws ArgumentError if this thread has the turn already: a callback called what it was called from. Throws
    /// Error in a forked child, and what `on_wait` throws; then it is as if nobody had asked.
    explicit Turn(Turns& turns, const OnWait& on_wait = {}) : turns_(turns) { turns_.enter(on_wait); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() { turns_.leave(); }

   private:
    Turns& turns_;
  };

  Turns() = default;
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;
  ~Turns() {
    if (!origin_.is_here()) forget(changed_);
  }

  const Origin& origin() const noexcept { return origin_; }

  /// Whether this is a forked child, and some thread had the turn at the fork.
  bool is_torn() const noexcept { return !origin_.is_here() && owner_.load() != std::thread::id(); }

 private:
  static constexpr std::chrono::milliseconds kSlice{100};

  void enter(const OnWait& on_wait) {
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

  void wait(std::unique_lock<std::mutex>& lock, std::uint64_t mine, const OnWait& on_wait) {
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

  void leave() noexcept {
    if (!origin_.is_here()) return;  // a child that was forked by a callback
    const std::lock_guard lock(mutex_);
    owner_ = std::thread::id();
    go_on();
  }

  /// The next who still waits.
  void go_on() noexcept {
    for (++serving_;; ++serving_) {
      const auto left = std::find(gone_.begin(), gone_.end(), serving_);
      if (left == gone_.end()) break;
      gone_.erase(left);
    }
    changed_.notify_all();
  }

  void give_up(std::uint64_t mine) {
    if (serving_ == mine) return go_on();  // it came too late
    gone_.push_back(mine);
  }

  Origin origin_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::uint64_t next_ = 0;
  std::uint64_t serving_ = 0;
  std::vector<std::thread::id> waiting_;
  std::vector<std::uint64_t> gone_;  // of next_: who came and did not wait
  std::atomic<std::thread::id> owner_{};
};

}  // namespace flashlm::inline v0
