// SPDX-License-Identifier: Apache-2.0
/// turns.hpp: one thread at a time, in the order in which they came.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "flashlm/base/process.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI {

/// A lock for work that takes long: fair, so that nobody starves behind a thread that asks again at
/// once; a wait can be ended; and neither a callback nor a forked child hangs in it.
///
///     const Turns::Turn turn(turns, on_wait);      // held until the end of the block
class Turns {
 public:
  /// Called about ten times a second while a thread waits for its turn; may throw to stop waiting:
  /// Ctrl-C.
  using OnWait = std::function<void()>;

  class Turn {
   public:
    /// Throws ArgumentError if this thread has the turn already: a callback called what it was
    /// called from. Throws Error in a forked child, and what `on_wait` throws; then it is as if
    /// nobody had asked.
    explicit Turn(Turns& turns, const OnWait& on_wait = {}) : turns_(turns) {
      turns_.enter(on_wait);
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() { turns_.leave(); }

   private:
    Turns& turns_;
  };

  Turns() = default;
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;
  ~Turns();

  const Origin& origin() const noexcept { return origin_; }

  /// Whether this is a forked child, and some thread had the turn at the fork.
  bool is_torn() const noexcept { return !origin_.is_here() && owner_.load() != std::thread::id(); }

 private:
  static constexpr std::chrono::milliseconds kSlice{100};

  void enter(const OnWait& on_wait);

  void wait(std::unique_lock<std::mutex>& lock, std::uint64_t mine, const OnWait& on_wait);

  void leave() noexcept;

  /// The next who still waits.
  void go_on() noexcept;

  void give_up(std::uint64_t mine);

  Origin origin_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::uint64_t next_ = 0;
  std::uint64_t serving_ = 0;
  std::vector<std::thread::id> waiting_;
  std::vector<std::uint64_t> gone_;  // of next_: who came and did not wait
  std::atomic<std::thread::id> owner_{};
};

}  // namespace flashlm::inline FLASHLM_ABI

#if !defined(FLASHLM_COMPILED)
#include "flashlm/base/turns.ipp"
#endif
