// SPDX-License-Identifier: Apache-2.0
/// aligned_buffer.hpp: anonymous memory that direct I/O can write into.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <new>
#include <span>
#include <utility>

namespace flashlm::inline v0 {

/// The unit in which memory is mapped and direct I/O is aligned.
inline constexpr std::size_t kPageBytes = 4096;

/// `value` rounded up to a multiple of `unit`.
constexpr std::size_t round_up(std::size_t value, std::size_t unit) noexcept {
  return (value + unit - 1) / unit * unit;
}

/// Owns zeroed, page-aligned, anonymous memory. Every page is touched once, so that no later step pays for it.
///
/// Throws std::bad_alloc when the system gives no more. Not thread-safe.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;

  explicit AlignedBuffer(std::size_t bytes) : size_(bytes) {
    if (bytes == 0) return;
    mapped_ = round_up(bytes, page());
    void* memory = ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<std::byte*>(memory);
    for (std::size_t at = 0; at < mapped_; at += page()) static_cast<volatile std::byte*>(data_)[at] = std::byte{0};
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
    const std::size_t keep = round_up(bytes, page());
    if (keep < mapped_) ::munmap(data_ + keep, mapped_ - keep);
    mapped_ = keep;
    size_ = bytes;
    if (keep == 0) data_ = nullptr;
  }

 private:
  static std::size_t page() noexcept {
    static const std::size_t bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return bytes;
  }

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
