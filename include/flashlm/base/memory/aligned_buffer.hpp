// SPDX-License-Identifier: Apache-2.0
/// aligned_buffer.hpp: anonymous memory that direct I/O can write into.
#pragma once

#include <cstddef>
#include <span>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI {

/// The unit in which memory is mapped and direct I/O is aligned.
inline constexpr std::size_t kPageBytes = 4096;

/// `value` rounded up to a multiple of `unit`.
constexpr std::size_t round_up(std::size_t value, std::size_t unit) noexcept {
  return (value + unit - 1) / unit * unit;
}

/// Bytes of a page of this system.
std::size_t page_bytes() noexcept;

/// While one lives, memory that this thread takes is locked: the system never moves it to swap.
class MemoryLock {
 public:
  explicit MemoryLock(bool wanted) : before_(active()) { flag() = before_ || wanted; }
  MemoryLock(const MemoryLock&) = delete;
  MemoryLock& operator=(const MemoryLock&) = delete;
  ~MemoryLock() { flag() = before_; }

  static bool active() noexcept { return flag(); }

  /// Throws IoError where the limit on locked memory forbids it.
  static void lock(const void* memory, std::size_t bytes);

 private:
  static bool& flag() noexcept;

  bool before_;
};

namespace detail {

/// Maps anonymous memory, `bytes` of whole pages; null when the system gives none. Where a huge
/// page fits, the first begins where the memory does: a disk that is told of memory page by page
/// can be several times slower.
std::byte* map_memory(std::size_t bytes, int protection, int flags) noexcept;

/// Asks for huge pages where whole ones fit, and only there: they never cost memory that was not
/// asked for.
void prefer_huge_pages(std::byte* memory, std::size_t bytes) noexcept;

/// Writes a zero to every page, so that no later step pays for it.
void touch(std::byte* memory, std::size_t bytes) noexcept;

}  // namespace detail

/// Owns zeroed, page-aligned, anonymous memory. Every page is touched once, so that no later step
/// pays for it.
///
/// Throws std::bad_alloc when the system gives no more, IoError if a MemoryLock is wanted and
/// forbidden. Not thread-safe.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;

  explicit AlignedBuffer(std::size_t bytes);

  AlignedBuffer(AlignedBuffer&& other) noexcept { swap(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept;
  ~AlignedBuffer();

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

  /// Keeps the first `bytes` and gives whole pages behind them back to the system. Larger than now:
  /// nothing happens.
  void shrink(std::size_t bytes) noexcept;

 private:
  void swap(AlignedBuffer& other) noexcept;

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t mapped_ = 0;
};

}  // namespace flashlm::inline FLASHLM_ABI

#if !defined(FLASHLM_COMPILED)
#include "flashlm/base/memory/aligned_buffer.ipp"
#endif
