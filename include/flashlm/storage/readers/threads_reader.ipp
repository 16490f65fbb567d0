// SPDX-License-Identifier: Apache-2.0
/// threads_reader.ipp: the bodies of threads_reader.hpp.
#pragma once

#include "flashlm/storage/readers/threads_reader.hpp"

#include <algorithm>
#include <exception>

#include "flashlm/base/error.hpp"
#include "flashlm/base/process.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

FLASHLM_ONCE ThreadsReader::ThreadsReader(std::span<const File> files, Options options)
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

FLASHLM_ONCE ThreadsReader::~ThreadsReader() {
  if (is_own()) {
    drain();
    stop();
  } else {
    std::for_each(threads_.begin(), threads_.end(), forget<std::thread>);
    for (std::condition_variable* changed : {&work_, &room_, &done_}) forget(*changed);
  }
}

FLASHLM_INLINE double ThreadsReader::busy_seconds() const noexcept {
  if (!is_own()) return 0;
  const std::lock_guard lock(mutex_);
  return busy_.seconds();
}

FLASHLM_INLINE Ticket ThreadsReader::submit(std::span<const Read> reads) {
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
    const std::size_t begin = index;
    for (; index < reads.size() && queued_ < queue_.size(); ++index, ++queued_) {
      queue_[(first_ + queued_) % queue_.size()] = {reads[index], slot, index};
      count(reads[index]);
    }
    wake(index - begin);
  }
  return ticket_of(slot);
}

/// Wakes a thread for each of `n` new reads: all of them for a few would find nothing, one by one.
FLASHLM_INLINE void ThreadsReader::wake(std::size_t n) noexcept {
  if (n >= threads_.size()) return work_.notify_all();
  for (; n > 0; --n) work_.notify_one();
}

FLASHLM_INLINE void ThreadsReader::wait(Ticket ticket) {
  require_own();
  std::unique_lock lock(mutex_);
  const std::size_t slot = slot_of(ticket);
  rethrow_interruption(slot);
  await(done_, lock, slot, [&] { return batch(slot).pending == 0; });
  const std::exception_ptr failure = close_batch(slot);
  lock.unlock();
  if (failure) std::rethrow_exception(failure);
}

FLASHLM_INLINE void ThreadsReader::drain() noexcept {
  if (!is_own()) return;
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return in_flight_ == 0; });
  close_batches();
}

FLASHLM_INLINE const ThreadsReader::Options& ThreadsReader::checked(const Options& options) {
  if (options.n_threads < 1 || options.n_threads > 1024) {
    throw ArgumentError(
        concat("[threads_reader] n_threads: expected 1 to 1024, got ", options.n_threads));
  }
  if (options.capacity < 1 || options.capacity > kLargestCapacity) {
    throw ArgumentError(concat("[threads_reader] capacity: expected 1 to ", kLargestCapacity,
                               ", got ", options.capacity));
  }
  return options;
}

FLASHLM_INLINE void ThreadsReader::work(std::span<std::byte> bounce) noexcept {
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

FLASHLM_INLINE void ThreadsReader::stop() noexcept {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
