// SPDX-License-Identifier: Apache-2.0
/// aligned_buffer.hpp: anonymous memory that direct I/O can write into.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <utility>

#include "flashlm/base/error.hpp"

namespace flashlm::inline v0 {

/// The unit in which memory is mapped and direct I/O is aligned.
inline constexpr std::size_t kPageBytes = 4096;

/// `value` rounded up to a multiple of `unit`.
constexpr std::size_t round_up(std::size_t value, std::size_t unit) noexcept {
  return (value + unit - 1) / unit * unit;
}

/// Bytes of a page of this system.
inline std::size_t page_bytes() noexcept {
  static const std::size_t bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

/// While one lives, memory that this thread takes is locked: the system never moves it to swap.
class MemoryLock {
 public:
  explicit MemoryLock(bool wanted) : before_(active()) { flag() = before_ || wanted; }
  MemoryLock(const MemoryLock&) = delete;
  MemoryLock& operator=(const MemoryLock&) = delete;
  ~MemoryLock() { flag() = before_; }

  static bool active() noexcept { return flag(); }

  /// Throws IoError where the limit on locked memory forbids it.
  static void lock(const void* memory, std::size_t bytes) {
    if (::mlock(memory, bytes) == 0) return;
    throw IoError(
        concat("[memory] cannot lock ", bytes, " more bytes; raise the limit (ulimit -l, LimitMEMLOCK, CAP_IPC_LOCK)"),
        errno, "mlock");
  }

 private:
  static bool& flag() noexcept {
    thread_local bool active = false;
    return active;
  }

  bool before_;
};

namespace detail {

inline constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

/// Maps anonymous memory, `bytes` of whole pages; null when the system gives none. Where a huge page fits, the first
/// begins where the memory does: a disk that is told of memory page by page can be several times slower.
inline std::byte* map_memory(std::size_t bytes, int protection, int flags) noexcept {
  const std::size_t slack = bytes >= kHugePageBytes ? kHugePageBytes : 0;
  if (bytes + slack < bytes) return nullptr;
  void* const memory = ::mmap(nullptr, bytes + slack, protection, flags, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  const auto at = reinterpret_cast<std::uintptr_t>(memory);
  const std::size_t before = slack != 0 ? round_up(at, kHugePageBytes) - at : 0;
  std::byte* const begin = static_cast<std::byte*>(memory) + before;
  if (before > 0) ::munmap(memory, before);
  if (before < slack) ::munmap(begin + bytes, slack - before);
  return begin;
}

/// Asks for huge pages where whole ones fit, and only there: they never cost memory that was not asked for.
inline void prefer_huge_pages(std::byte* memory, std::size_t bytes) noexcept {
#if defined(MADV_HUGEPAGE)
  const auto begin = round_up(reinterpret_cast<std::uintptr_t>(memory), kHugePageBytes);
  const auto end = (reinterpret_cast<std::uintptr_t>(memory) + bytes) & ~(kHugePageBytes - 1);
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#else
  static_cast<void>(memory);
  static_cast<void>(bytes);
#endif
}

/// Writes a zero to every page, so that no later step pays for it.
inline void touch(std::byte* memory, std::size_t bytes) noexcept {
  for (std::size_t at = 0; at < bytes; at += page_bytes()) static_cast<volatile std::byte*>(memory)[at] = std::byte{0};
}

}  // namespace detail

/// Owns zeroed, page-aligned, anonymous memory. Every page is touched once, so that no later step pays for it.
///
/// Throws std::bad_alloc when the system gives no more, IoError if a MemoryLock is wanted and forbidden. Not
/// thread-safe.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;

  explicit AlignedBuffer(std::size_t bytes) : size_(bytes) {
    if (bytes == 0) return;
    mapped_ = round_up(bytes, page_bytes());
    data_ = detail::map_memory(mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    if (data_ == nullptr) throw std::bad_alloc();
    detail::prefer_huge_pages(data_, mapped_);
    detail::touch(data_, mapped_);
    if (!MemoryLock::active()) return;
    try {
      MemoryLock::lock(data_, mapped_);
    } catch (...) {
      ::munmap(data_, mapped_);
      throw;
    }
  }

  AlignedBuffer(AlignedBuffer&& other) noexcept { swap(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    AlignedBuffer(std::move(other)).swap(*this);
    return *this;
  }
  ~AlignedBuffer() {
    if (data_ != nullptr) ::munmap(data_, mapped_);
  }

  std::byte* data() noexcept { return data_; }
  const std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  std::span<std::byte> bytes() noexcept { return {data_, size_}; }
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

  /// The memory as an array of T; a remainder smaller than a T is left out.
  template <class T>
  std::span<T> as() noexcept {
    return {reinterpret_cast<T*>(data_), size_ / sizeof(T)};
  }
  template <class T>
  std::span<const T> as() const noexcept {
    return {reinterpret_cast<const T*>(data_), size_ / sizeof(T)};
  }

  /// Keeps the first `bytes` and gives whole pages behind them back to the system. Larger than now: nothing happens.
  void shrink(std::size_t bytes) noexcept {
    if (bytes >= size_) return;
    const std::size_t keep = round_up(bytes, page_bytes());
    if (keep < mapped_) ::munmap(data_ + keep, mapped_ - keep);
    mapped_ = keep;
    size_ = bytes;
    if (keep == 0) data_ = nullptr;
  }

 private:
  void swap(AlignedBuffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(mapped_, other.mapped_);
  }

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t mapped_ = 0;
};

}  // namespace flashlm::inline v0
