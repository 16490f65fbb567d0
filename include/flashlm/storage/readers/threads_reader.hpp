// SPDX-License-Identifier: Apache-2.0
/// threads_reader.hpp: a Reader made of threads that call pread; it works on every POSIX system.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/storage/io/file.hpp"
#include "flashlm/storage/readers/busy_time.hpp"
#include "flashlm/storage/readers/file_reader.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// `n_threads` reads are at the device at once; `capacity` more wait in a queue. As many tickets
/// may be open.
struct ThreadsReaderOptions {
  int n_threads = 8;
  std::size_t capacity = 4096;
};

/// Reads with a pool of threads. A read that is not aligned goes through a bounce buffer of its
/// thread.
///
/// All memory is taken at construction: the queue, and File::kBounceBytes a thread if a file is
/// direct.
class ThreadsReader final : public FileReader {
 public:
  using Options = ThreadsReaderOptions;

  /// `files` must outlive the reader. Throws ArgumentError for options out of range.
  explicit ThreadsReader(std::span<const File> files, Options options = {});

  ThreadsReader(std::vector<File>&& files, Options options = {}) = delete;

  /// Finishes what is in flight. In a forked child there is nothing to finish, and nobody to wait
  /// for.
  FLASHLM_INLINE ~ThreadsReader() override;

  std::string_view name() const noexcept override { return "threads"; }
  FLASHLM_INLINE double busy_seconds() const noexcept override;

  FLASHLM_INLINE Ticket submit(std::span<const Read> reads) override;

  FLASHLM_INLINE void wait(Ticket ticket) override;

  FLASHLM_INLINE void drain() noexcept override;

 private:
  /// Waits until `done`; tells the hooks if that takes long, without the lock, which is held again
  /// if they throw.
  template <class Done>
  void await(std::condition_variable& changed, std::unique_lock<std::mutex>& lock, std::size_t slot,
             Done&& done) {
    if (!watched()) return changed.wait(lock, done);
    for (Patience patience;
         !changed.wait_for(lock, std::chrono::duration<double>(kSliceSeconds), done);) {
      lock.unlock();
      try {
        patience.wait_on(*this, slot);
      } catch (...) {
        lock.lock();
        throw;
      }
      lock.lock();
    }
  }

  static constexpr std::size_t kLargestCapacity = std::size_t{1} << 20;

  struct Job {
    Read read;
    std::size_t slot = 0;   // of its batch
    std::size_t index = 0;  // in its batch
  };

  static const Options& checked(const Options& options);

  void work(std::span<std::byte> bounce) noexcept;
  void wake(std::size_t n) noexcept;

  void stop() noexcept;

  mutable std::mutex mutex_;  // guards the batches and what follows
  std::condition_variable work_;
  std::condition_variable room_;
  std::condition_variable done_;
  std::vector<Job> queue_;  // [capacity], a ring
  std::size_t first_ = 0;
  std::size_t queued_ = 0;
  std::size_t in_flight_ = 0;  // reads queued or being read
  BusyTime busy_;
  bool stopping_ = false;

  std::vector<AlignedBuffer> bounces_;  // one a thread
  std::vector<std::thread> threads_;
};

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/readers/threads_reader.ipp"
#endif
