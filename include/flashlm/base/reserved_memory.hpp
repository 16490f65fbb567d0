// SPDX-License-Identifier: Apache-2.0
/// reserved_memory.hpp: a range of addresses of which some pages are in DRAM.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <utility>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/base/parallel.hpp"

namespace flashlm::inline v0 {

/// Addresses for everything, memory for what is committed: neighbours keep their places when pages between them come
/// and go. Addresses cost nothing.
///
/// Not thread-safe.
class ReservedMemory {
 public:
  ReservedMemory() = default;

  /// Takes addresses only. Throws std::bad_alloc when the system gives none.
  explicit ReservedMemory(std::size_t bytes) : size_(round_up(bytes, page_bytes())) {
    if (size_ == 0) return;
    data_ = detail::map_memory(size_, PROT_NONE, kFlags);
    if (data_ == nullptr) throw std::bad_alloc();
  }

  ReservedMemory(ReservedMemory&& other) noexcept { swap(other); }
  ReservedMemory& operator=(ReservedMemory&& other) noexcept {
    ReservedMemory(std::move(other)).swap(*this);
    return *this;
  }
  ~ReservedMemory() {
    if (data_ != nullptr) ::munmap(data_, size_);
  }

  std::byte* data() noexcept { return data_; }
  const std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

  /// Brings [offset, offset + bytes), whole pages, into DRAM: zeroed, and touched by all threads.
  ///
  /// Throws std::bad_alloc when the system gives no more, IoError if memory is to be locked and must not.
  void commit(std::size_t offset, std::size_t bytes, Parallel& parallel) {
    if (bytes == 0) return;
    std::byte* const begin = data_ + offset;
    if (::mprotect(begin, bytes, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
    detail::prefer_huge_pages(begin, bytes);
    parallel.for_range(bytes, kTouchGrain,
                       [&](std::size_t first, std::size_t end) { detail::touch(begin + first, end - first); });
    if (MemoryLock::active()) MemoryLock::lock(begin, bytes);
  }

  /// Gives [offset, offset + bytes), whole pages, back to the system.
  void discard(std::size_t offset, std::size_t bytes) noexcept {
    // A new mapping in place of the old one: the addresses stay ours.
    if (bytes != 0) ::mmap(data_ + offset, bytes, PROT_NONE, kFlags | MAP_FIXED, -1, 0);
  }

 private:
  static constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  static constexpr std::size_t kTouchGrain = std::size_t{4} << 20;

  void swap(ReservedMemory& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace flashlm::inline v0
