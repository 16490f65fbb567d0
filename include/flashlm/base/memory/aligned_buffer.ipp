// SPDX-License-Identifier: Apache-2.0
/// aligned_buffer.ipp: the bodies of aligned_buffer.hpp.
#pragma once

#include "flashlm/base/memory/aligned_buffer.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <new>
#include <utility>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI {

FLASHLM_INLINE std::size_t page_bytes() noexcept {
  static const std::size_t bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

FLASHLM_INLINE void MemoryLock::lock(const void* memory, std::size_t bytes) {
  if (::mlock(memory, bytes) == 0) return;
  throw IoError(concat("[memory] cannot lock ", bytes,
                       " more bytes; raise the limit (ulimit -l, LimitMEMLOCK, CAP_IPC_LOCK)"),
                errno, "mlock");
}

FLASHLM_INLINE bool& MemoryLock::flag() noexcept {
  thread_local bool active = false;
  return active;
}

namespace detail {

inline constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

FLASHLM_INLINE std::byte* map_memory(std::size_t bytes, int protection, int flags) noexcept {
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

FLASHLM_INLINE void prefer_huge_pages(std::byte* memory, std::size_t bytes) noexcept {
#if defined(MADV_HUGEPAGE)
  const auto begin = round_up(reinterpret_cast<std::uintptr_t>(memory), kHugePageBytes);
  const auto end = (reinterpret_cast<std::uintptr_t>(memory) + bytes) & ~(kHugePageBytes - 1);
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#else
  static_cast<void>(memory);
  static_cast<void>(bytes);
#endif
}

FLASHLM_INLINE void touch(std::byte* memory, std::size_t bytes) noexcept {
  for (std::size_t at = 0; at < bytes; at += page_bytes())
    static_cast<volatile std::byte*>(memory)[at] = std::byte{0};
}

}  // namespace detail

FLASHLM_INLINE AlignedBuffer::AlignedBuffer(std::size_t bytes) : size_(bytes) {
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

FLASHLM_INLINE AlignedBuffer& AlignedBuffer::operator=(AlignedBuffer&& other) noexcept {
  AlignedBuffer(std::move(other)).swap(*this);
  return *this;
}

FLASHLM_INLINE AlignedBuffer::~AlignedBuffer() {
  if (data_ != nullptr) ::munmap(data_, mapped_);
}

FLASHLM_INLINE void AlignedBuffer::shrink(std::size_t bytes) noexcept {
  if (bytes >= size_) return;
  const std::size_t keep = round_up(bytes, page_bytes());
  if (keep < mapped_) ::munmap(data_ + keep, mapped_ - keep);
  mapped_ = keep;
  size_ = bytes;
  if (keep == 0) data_ = nullptr;
}

FLASHLM_INLINE void AlignedBuffer::swap(AlignedBuffer& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapped_, other.mapped_);
}

}  // namespace flashlm::inline FLASHLM_ABI
