// SPDX-License-Identifier: Apache-2.0
/// parallel.hpp: the only home of OpenMP, and of the threads that replace it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>

#include "flashlm/base/process.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI {

/// A team of threads that splits ranges of work. The split never changes a result: see
/// docs/architecture.md, numerics.
///
/// A range is cut into more parts than there are threads, and a thread takes the next part when it
/// has done one: on a busy machine a thread that the system has put aside holds up one part, not
/// the whole range. Where flashlm's bodies are compiled with OpenMP the threads are OpenMP's;
/// without it they are a pool that lives as long as this object. A forked child has neither: there
/// the caller does all parts. Not thread-safe: one caller at a time.
class Parallel {
 public:
  /// `n_threads` counts the caller; 0 means one a hardware thread. Throws ArgumentError below 0 and
  /// above 1024.
  explicit Parallel(int n_threads = 0);

  Parallel(const Parallel&) = delete;
  Parallel& operator=(const Parallel&) = delete;
  ~Parallel();

  int n_threads() const noexcept { return n_threads_; }

  /// How many threads `n_threads` means, for those who only count. Throws ArgumentError as the
  /// constructor does.
  static int count(int n_threads);

  /// Calls body(begin, end) on disjoint ranges that together are [0, n); inner ends are multiples
  /// of `grain`.
  ///
  /// Returns when all are done. If calls threw, the first exception is thrown again here.
  template <class Body>
  void for_range(std::size_t n, std::size_t grain, Body&& body) {
    for_threads(n, grain,
                [&](std::size_t, std::size_t begin, std::size_t end) { body(begin, end); });
  }

  /// As for_range, calling body(thread, begin, end); `thread` is below n_threads and no two running
  /// calls share it.
  template <class Body>
  void for_threads(std::size_t n, std::size_t grain, Body&& body) {
    const std::size_t n_grains = (n + grain - 1) / grain;
    const std::size_t n_parts =
        std::min(n_grains, kPartsPerThread * static_cast<std::size_t>(n_threads_));
    if (n_parts == 0) return;
    if (n_parts == 1 || n_threads_ == 1 || !origin_.is_here()) {
      body(std::size_t{0}, std::size_t{0}, n);
      return;
    }
    auto part_body = [&](std::size_t thread, std::size_t part) {
      const std::size_t begin = part * n_grains / n_parts * grain;
      const std::size_t end = std::min(n, (part + 1) * n_grains / n_parts * grain);
      body(thread, begin, end);
    };
    const Call call = [](void* context, std::size_t thread, std::size_t part) {
      (*static_cast<decltype(part_body)*>(context))(thread, part);
    };
    run(n_parts, call, &part_body);
  }

 private:
  static constexpr int kMostThreads = 1024;  // a larger number can only be a slip
  static constexpr std::size_t kPartsPerThread =
      4;  // a part that is held up is a quarter of a thread's share
  static_assert(kPartsPerThread * kMostThreads < 65536, "parts are counted in 16 bits");

  using Call = void (*)(void* context, std::size_t thread, std::size_t part);
  struct Team;

  /// Calls call(context, thread, part) for every part in [0, n_parts).
  void run(std::size_t n_parts, Call call, void* context);

  Origin origin_;
  int n_threads_;
  std::unique_ptr<Team> team_;  // the threads beside the caller, and what they share
};

}  // namespace flashlm::inline FLASHLM_ABI

#if !defined(FLASHLM_COMPILED)
#include "flashlm/compute/cpu/parallel.ipp"
#endif
