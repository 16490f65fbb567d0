// SPDX-License-Identifier: Apache-2.0
/// parallel.hpp: the only home of OpenMP, and of the threads that replace it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/process.hpp"

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace flashlm::inline v0 {

/// A team of threads that splits ranges of work. The split never changes a result: see docs/architecture.md, numerics.
///
/// A range is cut into more parts than there are threads, and a thread takes the next part when it has done one: on a
/// busy machine a thread that the system has put aside holds up one part, not the whole range.
/// With OpenMP the threads are OpenMP's; without it they are a pool that lives as long as this object. A forked child
/// has neither: there the caller does all parts. Not thread-safe: one caller at a time.
class Parallel {
 public:
  /// `n_threads` counts the caller; 0 means one a hardware thread. Throws ArgumentError below 0 and above 1024.
  explicit Parallel(int n_threads = 0) : n_threads_(n_threads) {
    if (n_threads < 0 || n_threads > kMostThreads) {
      throw ArgumentError(
          concat("[parallel] threads: expected 1 to ", kMostThreads, ", or 0 for all, got ", n_threads));
    }
    if (n_threads_ == 0) n_threads_ = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
#if defined(_OPENMP)
    let_children_start_teams();
#else
    workers_.reserve(static_cast<std::size_t>(n_threads_ - 1));
    try {
      for (int index = 1; index < n_threads_; ++index) workers_.emplace_back([this, index] { work(index); });
    } catch (...) {
      stop();
      throw;
    }
#endif
  }

  Parallel(const Parallel&) = delete;
  Parallel& operator=(const Parallel&) = delete;
  ~Parallel() { stop(); }

  int n_threads() const noexcept { return n_threads_; }

  /// Calls body(begin, end) on disjoint ranges that together are [0, n); inner ends are multiples of `grain`.
  ///
  /// Returns when all are done. If calls threw, the first exception is thrown again here.
  template <class Body>
  void for_range(std::size_t n, std::size_t grain, Body&& body) {
    for_threads(n, grain, [&](std::size_t, std::size_t begin, std::size_t end) { body(begin, end); });
  }

  /// As for_range, calling body(thread, begin, end); `thread` is below n_threads and no two running calls share it.
  template <class Body>
  void for_threads(std::size_t n, std::size_t grain, Body&& body) {
    const std::size_t n_grains = (n + grain - 1) / grain;
    const std::size_t n_parts = std::min(n_grains, kPartsPerThread * static_cast<std::size_t>(n_threads_));
    if (n_parts == 0) return;
    if (n_parts == 1 || n_threads_ == 1 || !origin_.is_here()) {
      body(std::size_t{0}, std::size_t{0}, n);
      return;
    }
    run(n_parts, [&](std::size_t thread, std::size_t part) {
      const std::size_t begin = part * n_grains / n_parts * grain;
      const std::size_t end = std::min(n, (part + 1) * n_grains / n_parts * grain);
      body(thread, begin, end);
    });
  }

 private:
  static constexpr int kMostThreads = 1024;          // a larger number can only be a slip
  static constexpr std::size_t kPartsPerThread = 4;  // a part that is held up is a quarter of a thread's share

  using Call = void (*)(void* context, std::size_t thread, std::size_t part);

  /// Calls part_body(thread, part) for every part in [0, n_parts).
  template <class PartBody>
  void run(std::size_t n_parts, PartBody part_body) {
    const Call call = [](void* context, std::size_t thread, std::size_t part) {
      (*static_cast<PartBody*>(context))(thread, part);
    };
    failure_ = nullptr;
#if defined(_OPENMP)
#pragma omp parallel for num_threads(n_threads_) schedule(dynamic, 1)
    for (std::size_t part = 0; part < n_parts; ++part) {
      guarded(call, &part_body, static_cast<std::size_t>(omp_get_thread_num()), part);
    }
#else
    call_ = call;
    context_ = &part_body;
    pending_.store(static_cast<std::uint32_t>(n_parts), std::memory_order_relaxed);
    state_.store(State{generation_ + 1, static_cast<std::uint16_t>(n_parts), 0}.packed(), std::memory_order_release);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    take_parts(0);
    wait_until(pending_, [](std::uint32_t left) { return left == 0; });
#endif
    if (failure_) std::rethrow_exception(failure_);
  }

  void guarded(Call call, void* context, std::size_t thread, std::size_t part) noexcept {
    try {
      call(context, thread, part);
    } catch (...) {
      const std::lock_guard lock(failure_mutex_);
      if (!failure_) failure_ = std::current_exception();
    }
  }

#if !defined(_OPENMP)
  /// Which parts of which range are taken, in one word: whoever takes a part knows that its range is the current one.
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

  /// Takes and does parts of the current range until none is left.
  void take_parts(std::size_t thread) noexcept {
    std::uint64_t word = state_.load(std::memory_order_acquire);
    for (;;) {
      const State state = State::unpacked(word);
      if (state.next >= state.n_parts) return;
      if (!state_.compare_exchange_weak(word, word + 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
      // The range can not end before this part is done, so these are its own.
      guarded(call_, context_, thread, state.next);
      if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) pending_.notify_one();
      word = state_.load(std::memory_order_acquire);
    }
  }

  /// Spins for a while, then sleeps: a wake-up costs more than the usual gap between two ranges of a pass.
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

  static_assert(kPartsPerThread * kMostThreads < 65536, "parts are counted in 16 bits");

  std::vector<std::thread> workers_;
  std::atomic<std::uint64_t> state_{0};
  std::atomic<std::uint32_t> generation_{0};
  std::atomic<std::uint32_t> pending_{0};  // parts of the current range that are not done
  Call call_ = nullptr;
  void* context_ = nullptr;
  std::atomic<bool> stopping_{false};
#else
  void stop() noexcept {}

  /// GCC's OpenMP keeps a thread's team for its next region, and a forked child would wait for that team for ever: so
  /// the thread that forks gives its team back first. (LLVM's sees to it itself.)
  static void let_children_start_teams() noexcept {
#if defined(__GNUC__) && !defined(__clang__)
    static const int registered = ::pthread_atfork([] { omp_pause_resource_all(omp_pause_soft); }, nullptr, nullptr);
    static_cast<void>(registered);
#endif
  }
#endif

  Origin origin_;
  int n_threads_;
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
};

}  // namespace flashlm::inline v0
