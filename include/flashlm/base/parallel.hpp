// SPDX-License-Identifier: Apache-2.0
/// parallel.hpp: the only home of OpenMP, and of the threads that replace it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "flashlm/base/error.hpp"

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace flashlm::inline v0 {

/// A team of threads that splits ranges of work. The split never changes a result: see docs/architecture.md, numerics.
///
/// With OpenMP the threads are OpenMP's; without it they are a pool that lives as long as this object.
/// Not thread-safe: one caller at a time.
class Parallel {
 public:
  /// `n_threads` counts the caller; 0 means one a hardware thread. Throws ArgumentError below 0 and above 1024.
  explicit Parallel(int n_threads = 0) : n_threads_(n_threads) {
    if (n_threads < 0 || n_threads > 1024) {
      throw ArgumentError(concat("[parallel] threads: expected 1 to 1024, or 0 for all, got ", n_threads));
    }
    if (n_threads_ == 0) n_threads_ = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
#if !defined(_OPENMP)
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
    for_parts(n, grain, [&](std::size_t, std::size_t begin, std::size_t end) { body(begin, end); });
  }

  /// As for_range, calling body(part, begin, end); `part` is below n_threads and no two running calls share it.
  template <class Body>
  void for_parts(std::size_t n, std::size_t grain, Body&& body) {
    const std::size_t n_grains = (n + grain - 1) / grain;
    const std::size_t n_parts = std::min(n_grains, static_cast<std::size_t>(n_threads_));
    if (n_parts == 0) return;
    if (n_parts == 1) {
      body(std::size_t{0}, std::size_t{0}, n);
      return;
    }
    run(n_parts, [&](std::size_t part) {
      const std::size_t begin = part * n_grains / n_parts * grain;
      const std::size_t end = std::min(n, (part + 1) * n_grains / n_parts * grain);
      body(part, begin, end);
    });
  }

 private:
  using Call = void (*)(void* context, std::size_t part);

  /// Calls part_body(part) for every part in [0, n_parts), n_parts <= n_threads.
  template <class PartBody>
  void run(std::size_t n_parts, PartBody part_body) {
    const Call call = [](void* context, std::size_t part) { (*static_cast<PartBody*>(context))(part); };
    failure_ = nullptr;
#if defined(_OPENMP)
#pragma omp parallel for num_threads(static_cast<int>(n_parts)) schedule(static, 1)
    for (std::size_t part = 0; part < n_parts; ++part) guarded(call, &part_body, part);
#else
    call_ = call;
    context_ = &part_body;
    n_parts_ = n_parts;
    pending_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    guarded(call, &part_body, 0);
    wait_until(pending_, [](int left) { return left == 0; });
#endif
    if (failure_) std::rethrow_exception(failure_);
  }

  void guarded(Call call, void* context, std::size_t part) noexcept {
    try {
      call(context, part);
    } catch (...) {
      const std::lock_guard lock(failure_mutex_);
      if (!failure_) failure_ = std::current_exception();
    }
  }

#if !defined(_OPENMP)
  /// Spins for about the length of a layer, then sleeps: a wake-up costs more than the usual gap between two regions.
  template <class Done>
  static void wait_until(const std::atomic<int>& value, Done done) noexcept {
    for (int spin = 0; spin < 20000; ++spin) {
      if (done(value.load(std::memory_order_acquire))) return;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
    for (int seen = value.load(std::memory_order_acquire); !done(seen); seen = value.load(std::memory_order_acquire)) {
      value.wait(seen, std::memory_order_acquire);
    }
  }

  void work(int index) noexcept {
    int seen = 0;
    for (;;) {
      wait_until(generation_, [seen](int current) { return current != seen; });
      seen = generation_.load(std::memory_order_acquire);
      if (stopping_) return;
      if (static_cast<std::size_t>(index) < n_parts_) guarded(call_, context_, static_cast<std::size_t>(index));
      if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) pending_.notify_all();
    }
  }

  void stop() noexcept {
    stopping_ = true;
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
  }

  std::vector<std::thread> workers_;
  std::atomic<int> generation_{0};
  std::atomic<int> pending_{0};
  Call call_ = nullptr;
  void* context_ = nullptr;
  std::size_t n_parts_ = 0;
  bool stopping_ = false;
#else
  void stop() noexcept {}
#endif

  int n_threads_;
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
};

}  // namespace flashlm::inline v0
