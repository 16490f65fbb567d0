// SPDX-License-Identifier: Apache-2.0
/// parallel.ipp: the bodies of parallel.hpp.
#pragma once

#include "flashlm/compute/cpu/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/process.hpp"

#if defined(_OPENMP)
#include <omp.h>
#include <pthread.h>
#endif

namespace flashlm::inline FLASHLM_ABI {

/// With OpenMP only the failure; without it the pool.
struct Parallel::Team {
  std::mutex failure_mutex_;
  std::exception_ptr failure_;

  void guarded(Call call, void* context, std::size_t thread, std::size_t part) noexcept {
    try {
      call(context, thread, part);
    } catch (...) {
      const std::lock_guard lock(failure_mutex_);
      if (!failure_) failure_ = std::current_exception();
    }
  }

#if defined(_OPENMP)
  explicit Team(int n_threads) : n_threads_(n_threads) { let_children_start_teams(); }

  /// GCC's OpenMP keeps a thread's team for its next region, and a forked child would wait for that
  /// team for ever: so the thread that forks gives its team back first. (LLVM's sees to it itself.)
  static void let_children_start_teams() noexcept {
#if defined(__GNUC__) && !defined(__clang__)
    static const int registered =
        ::pthread_atfork([] { omp_pause_resource_all(omp_pause_soft); }, nullptr, nullptr);
    static_cast<void>(registered);
#endif
  }

  void run(std::size_t n_parts, Call call, void* context) {
#pragma omp parallel for num_threads(n_threads_) schedule(dynamic, 1)
    for (std::size_t part = 0; part < n_parts; ++part) {
      guarded(call, context, static_cast<std::size_t>(omp_get_thread_num()), part);
    }
  }

  int n_threads_;
#else
  /// Which parts of which range are taken, in one word: whoever takes a part knows that its range
  /// is the current one.
  struct State {
    std::uint32_t generation;
    std::uint16_t n_parts;
    std::uint16_t next;

    std::uint64_t packed() const noexcept {
      return std::uint64_t{generation} << 32 | std::uint64_t{n_parts} << 16 | next;
    }
    static State unpacked(std::uint64_t word) noexcept {
      return {static_cast<std::uint32_t>(word >> 32), static_cast<std::uint16_t>(word >> 16),
              static_cast<std::uint16_t>(word)};
    }
  };

  explicit Team(int n_threads) {
    workers_.reserve(static_cast<std::size_t>(n_threads - 1));
    try {
      for (int index = 1; index < n_threads; ++index)
        workers_.emplace_back([this, index] { work(index); });
    } catch (...) {
      stop();
      throw;
    }
  }

  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team() { stop(); }

  void run(std::size_t n_parts, Call call, void* context) {
    call_ = call;
    context_ = context;
    pending_.store(static_cast<std::uint32_t>(n_parts), std::memory_order_relaxed);
    state_.store(State{generation_ + 1, static_cast<std::uint16_t>(n_parts), 0}.packed(),
                 std::memory_order_release);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    take_parts(0);
    wait_until(pending_, [](std::uint32_t left) { return left == 0; });
  }

  /// Takes and does parts of the current range until none is left.
  void take_parts(std::size_t thread) noexcept {
    std::uint64_t word = state_.load(std::memory_order_acquire);
    for (;;) {
      const State now = State::unpacked(word);
      if (now.next >= now.n_parts) return;
      if (!state_.compare_exchange_weak(word, word + 1, std::memory_order_acq_rel,
                                        std::memory_order_acquire))
        continue;
      // The range can not end before this part is done, so these are its own.
      guarded(call_, context_, thread, now.next);
      if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) pending_.notify_one();
      word = state_.load(std::memory_order_acquire);
    }
  }

  /// Spins for a while, then sleeps: a wake-up costs more than the usual gap between two ranges of
  /// a pass.
  template <class Done>
  static void wait_until(const std::atomic<std::uint32_t>& value, Done done) noexcept {
    constexpr int kSpins = 5000;  // trades idle power for wake-ups; no result depends on it
    for (int spin = 0; spin < kSpins; ++spin) {
      if (done(value.load(std::memory_order_acquire))) return;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
    for (std::uint32_t seen = value.load(std::memory_order_acquire); !done(seen);
         seen = value.load(std::memory_order_acquire)) {
      value.wait(seen, std::memory_order_acquire);
    }
  }

  void work(int index) noexcept {
    std::uint32_t seen = 0;
    for (;;) {
      wait_until(generation_, [seen](std::uint32_t current) { return current != seen; });
      seen = generation_.load(std::memory_order_acquire);
      if (stopping_.load(std::memory_order_acquire)) return;
      take_parts(static_cast<std::size_t>(index));
    }
  }

  void stop() noexcept {
    if (!origin_.is_here()) {
      std::for_each(workers_.begin(), workers_.end(), forget<std::thread>);
      return;
    }
    stopping_.store(true, std::memory_order_release);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
  }

  Origin origin_;
  std::vector<std::thread> workers_;
  std::atomic<std::uint64_t> state_{0};
  std::atomic<std::uint32_t> generation_{0};
  std::atomic<std::uint32_t> pending_{0};  // parts of the current range that are not done
  Call call_ = nullptr;
  void* context_ = nullptr;
  std::atomic<bool> stopping_{false};
#endif
};

FLASHLM_INLINE int Parallel::count(int n_threads) {
  if (n_threads < 0 || n_threads > kMostThreads) {
    throw ArgumentError(concat("[parallel] threads: expected 1 to ", kMostThreads,
                               ", or 0 for all, got ", n_threads));
  }
  return n_threads != 0 ? n_threads
                        : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

FLASHLM_INLINE Parallel::Parallel(int n_threads) : n_threads_(count(n_threads)) {
  team_ = std::make_unique<Team>(n_threads_);
}

FLASHLM_INLINE Parallel::~Parallel() = default;

FLASHLM_INLINE void Parallel::run(std::size_t n_parts, Call call, void* context) {
  team_->failure_ = nullptr;
  team_->run(n_parts, call, context);
  if (team_->failure_) std::rethrow_exception(team_->failure_);
}

}  // namespace flashlm::inline FLASHLM_ABI
