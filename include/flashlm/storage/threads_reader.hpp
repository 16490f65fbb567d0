// SPDX-License-Identifier: Apache-2.0
/// threads_reader.hpp: a Reader made of threads that call pread; it works on every POSIX system.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <mutex>
#include <span>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/storage/extent.hpp"
#include "flashlm/storage/file.hpp"
#include "flashlm/storage/reader.hpp"

namespace flashlm::inline v0::storage {

/// `n_threads` reads are at the device at once; `capacity` more wait in a queue. As many tickets may be open.
struct ThreadsReaderOptions {
  int n_threads = 4;
  std::size_t capacity = 256;
};

/// Reads with a pool of threads. A read that is not aligned goes through a bounce buffer of its thread.
///
/// All memory is taken at construction: the queue, and File::kBounceBytes a thread if a file is direct.
class ThreadsReader final : public Reader {
 public:
  using Options = ThreadsReaderOptions;

  /// `files` must outlive the reader. Throws ArgumentError for options out of range.
  explicit ThreadsReader(std::span<const File> files, Options options = {}) : files_(files) {
    if (options.n_threads < 1 || options.n_threads > 1024) {
      throw ArgumentError(concat("[threads_reader] n_threads: expected 1 to 1024, got ", options.n_threads));
    }
    if (options.capacity < 1 || options.capacity > kLargestCapacity) {
      throw ArgumentError(
          concat("[threads_reader] capacity: expected 1 to ", kLargestCapacity, ", got ", options.capacity));
    }
    for (const File& file : files) alignment_ = std::max(alignment_, file.alignment());
    queue_.resize(options.capacity);
    batches_.resize(options.capacity);
    for (std::size_t slot = options.capacity; slot > 0; --slot) free_.push_back(slot - 1);
    const auto n_threads = static_cast<std::size_t>(options.n_threads);
    bounces_.reserve(n_threads);
    threads_.reserve(n_threads);
    try {
      for (std::size_t index = 0; index < n_threads; ++index) {
        bounces_.emplace_back(alignment_ > 1 ? std::max(File::kBounceBytes, alignment_) : 0);
        threads_.emplace_back([this, index] { work(bounces_[index].bytes()); });
      }
    } catch (...) {
      stop();
      throw;
    }
  }

  ThreadsReader(std::vector<File>&& files, Options options = {}) = delete;

  /// Finishes what is in flight.
  ~ThreadsReader() override {
    drain();
    stop();
  }

  std::string_view name() const noexcept override { return "threads"; }
  std::size_t alignment() const noexcept override { return alignment_; }

  Ticket submit(std::span<const Read> reads) override {
    for (const Read& read : reads) {
      if (read.file >= files_.size()) {
        throw ArgumentError(concat("[threads_reader] file: expected one below ", files_.size(), ", got ", read.file));
      }
    }
    std::unique_lock lock(mutex_);
    if (free_.empty()) {
      throw ArgumentError(concat("[threads_reader] tickets: expected at most ", batches_.size(),
                                 " that are not waited for, got one more"));
    }
    const std::size_t slot = free_.back();
    free_.pop_back();
    Batch& batch = batches_[slot];
    batch.open = true;
    batch.pending = reads.size();
    in_flight_ += reads.size();
    for (std::size_t index = 0; index < reads.size();) {
      room_.wait(lock, [this] { return queued_ < queue_.size(); });
      for (; index < reads.size() && queued_ < queue_.size(); ++index, ++queued_) {
        queue_[(first_ + queued_) % queue_.size()] = {reads[index], slot, index};
        count(reads[index]);
      }
      work_.notify_all();
    }
    return batch.ticket * batches_.size() + slot;
  }

  void wait(Ticket ticket) override {
    const std::size_t slot = ticket % batches_.size();
    std::unique_lock lock(mutex_);
    Batch& batch = batches_[slot];
    if (!batch.open || batch.ticket != ticket / batches_.size()) {
      throw ArgumentError(concat("[threads_reader] ticket: expected one that is open, got ", ticket));
    }
    done_.wait(lock, [&] { return batch.pending == 0; });
    const std::exception_ptr failure = close(slot);
    lock.unlock();
    if (failure) std::rethrow_exception(failure);
  }

  void drain() noexcept override {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return in_flight_ == 0; });
    for (std::size_t slot = 0; slot < batches_.size(); ++slot) {
      if (batches_[slot].open) close(slot);
    }
  }

  ReaderStats stats() const noexcept override { return stats_; }

 private:
  static constexpr std::size_t kLargestCapacity = std::size_t{1} << 20;

  struct Batch {
    Ticket ticket = 0;  // how often this slot was used before
    bool open = false;
    std::size_t pending = 0;      // reads that are not complete
    std::size_t failed_read = 0;  // the index of the read that `failure` is of
    std::exception_ptr failure;
  };

  struct Job {
    Read read;
    std::size_t slot = 0;   // of its batch
    std::size_t index = 0;  // in its batch
  };

  void count(const Read& read) noexcept {
    const std::uint64_t moved = files_[read.file].superset({read.offset, read.into.size()}).bytes;
    ++stats_.reads;
    stats_.bytes_read += moved;
    stats_.gap_bytes += moved - read.into.size();
  }

  std::exception_ptr close(std::size_t slot) noexcept {
    Batch& batch = batches_[slot];
    batch.open = false;
    ++batch.ticket;
    free_.push_back(slot);
    return std::exchange(batch.failure, nullptr);
  }

  void work(std::span<std::byte> bounce) noexcept {
    std::unique_lock lock(mutex_);
    for (;;) {
      work_.wait(lock, [this] { return stopping_ || queued_ > 0; });
      if (queued_ == 0) return;
      const Job job = queue_[first_];
      first_ = (first_ + 1) % queue_.size();
      if (queued_-- == queue_.size()) room_.notify_one();
      lock.unlock();
      std::exception_ptr failure;
      try {
        files_[job.read.file].read(job.read.offset, job.read.into, bounce);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      Batch& batch = batches_[job.slot];
      // The first in the order of the batch, whatever the threads did first: errors are the same in every run.
      if (failure && (!batch.failure || job.index < batch.failed_read)) {
        std::swap(batch.failure, failure);
        batch.failed_read = job.index;
      }
      failure = nullptr;
      --in_flight_;
      if (--batch.pending == 0) done_.notify_all();
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

  std::span<const File> files_;
  std::size_t alignment_ = 1;
  ReaderStats stats_;  // of the submitting thread only

  std::mutex mutex_;  // guards what follows
  std::condition_variable work_;
  std::condition_variable room_;
  std::condition_variable done_;
  std::vector<Job> queue_;  // [capacity], a ring
  std::size_t first_ = 0;
  std::size_t queued_ = 0;
  std::size_t in_flight_ = 0;      // reads queued or being read
  std::vector<Batch> batches_;     // [capacity]
  std::vector<std::size_t> free_;  // slots of batches
  bool stopping_ = false;

  std::vector<AlignedBuffer> bounces_;  // one a thread
  std::vector<std::thread> threads_;
};

}  // namespace flashlm::inline v0::storage
