// SPDX-License-Identifier: Apache-2.0
/// threads_reader.hpp: a Reader made of threads that call pread; it works on every POSIX system.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/process.hpp"
#include "flashlm/storage/busy_time.hpp"
#include "flashlm/storage/file.hpp"
#include "flashlm/storage/file_reader.hpp"
#include "flashlm/storage/reader.hpp"

namespace flashlm::inline v0::storage {

/// `n_threads` reads are at the device at once; `capacity` more wait in a queue. As many tickets may be open.
struct ThreadsReaderOptions {
  int n_threads = 8;
  std::size_t capacity = 4096;
};

/// Reads with a pool of threads. A read that is not aligned goes through a bounce buffer of its thread.
///
/// All memory is taken at construction: the queue, and File::kBounceBytes a thread if a file is direct.
class ThreadsReader final : public FileReader {
 public:
  using Options = ThreadsReaderOptions;

  /// `files` must outlive the reader. Throws ArgumentError for options out of range.
  explicit ThreadsReader(std::span<const File> files, Options options = {})
      : FileReader(files, checked(options).capacity), queue_(options.capacity) {
    const auto n_threads = static_cast<std::size_t>(options.n_threads);
    bounces_.reserve(n_threads);
    threads_.reserve(n_threads);
    try {
      for (std::size_t index = 0; index < n_threads; ++index) {
        bounces_.emplace_back(alignment() > 1 ? std::max(File::kBounceBytes, alignment()) : 0);
        threads_.emplace_back([this, index] { work(bounces_[index].bytes()); });
      }
    } catch (...) {
      stop();
      throw;
    }
  }

  ThreadsReader(std::vector<File>&& files, Options options = {}) = delete;

  /// Finishes what is in flight. In a forked child there is nothing to finish, and nobody to wait for.
  ~ThreadsReader() override {
    if (is_own()) {
      drain();
      stop();
    } else {
      std::for_each(threads_.begin(), threads_.end(), forget<std::thread>);
      for (std::condition_variable* changed : {&work_, &room_, &done_}) forget(*changed);
    }
  }

  std::string_view name() const noexcept override { return "threads"; }
  double busy_seconds() const noexcept override {
    if (!is_own()) return 0;
    const std::lock_guard lock(mutex_);
    return busy_.seconds();
  }

  Ticket submit(std::span<const Read> reads) override {
    check(reads);
    std::unique_lock lock(mutex_);
    const std::size_t slot = open_batch(reads);
    batch(slot).pending = reads.size();
    in_flight_ += reads.size();
    busy_.set(in_flight_);
    for (std::size_t index = 0; index < reads.size();) {
      try {
        await(room_, lock, slot, [this] { return queued_ < queue_.size(); });
      } catch (...) {
        interrupt(slot, index, std::current_exception());
        batch(slot).pending -= reads.size() - index;
        in_flight_ -= reads.size() - index;
        busy_.set(in_flight_);
        break;
      }
      for (; index < reads.size() && queued_ < queue_.size(); ++index, ++queued_) {
        queue_[(first_ + queued_) % queue_.size()] = {reads[index], slot, index};
        count(reads[index]);
      }
      work_.notify_all();
    }
    return ticket_of(slot);
  }

  void wait(Ticket ticket) override {
    require_own();
    std::unique_lock lock(mutex_);
    const std::size_t slot = slot_of(ticket);
    rethrow_interruption(slot);
    await(done_, lock, slot, [&] { return batch(slot).pending == 0; });
    const std::exception_ptr failure = close_batch(slot);
    lock.unlock();
    if (failure) std::rethrow_exception(failure);
  }

  void drain() noexcept override {
    if (!is_own()) return;
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return in_flight_ == 0; });
    close_batches();
  }

 private:
  /// Waits until `done`; tells the hooks if that takes long, without the lock, which is held again if they throw.
  template <class Done>
  void await(std::condition_variable& changed, std::unique_lock<std::mutex>& lock, std::size_t slot, Done&& done) {
    if (!watched()) return changed.wait(lock, done);
    for (Patience patience; !changed.wait_for(lock, std::chrono::duration<double>(kSliceSeconds), done);) {
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

  static const Options& checked(const Options& options) {
    if (options.n_threads < 1 || options.n_threads > 1024) {
      throw ArgumentError(concat("[threads_reader] n_threads: expected 1 to 1024, got ", options.n_threads));
    }
    if (options.capacity < 1 || options.capacity > kLargestCapacity) {
      throw ArgumentError(
          concat("[threads_reader] capacity: expected 1 to ", kLargestCapacity, ", got ", options.capacity));
    }
    return options;
  }

  void work(std::span<std::byte> bounce) noexcept {
    std::unique_lock lock(mutex_);
    for (;;) {
      work_.wait(lock, [this] { return stopping_ || queued_ > 0; });
      if (queued_ == 0) return;
      const Job job = queue_[first_];
      first_ = (first_ + 1) % queue_.size();
      // Not for each: the two would wake each other for every read.
      if (--queued_ == queue_.size() / 2) room_.notify_one();
      lock.unlock();
      std::exception_ptr failure;
      try {
        file(job.read).read(job.read.offset, job.read.into, bounce);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      if (failure) fail(job.slot, job.index, failure);
      failure = nullptr;
      busy_.set(--in_flight_);
      if (--batch(job.slot).pending == 0) done_.notify_all();
    }
  }

  void stop() noexcept {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    work_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

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

}  // namespace flashlm::inline v0::storage
