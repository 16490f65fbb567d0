// SPDX-License-Identifier: Apache-2.0
/// reserved_memory.ipp: the bodies of reserved_memory.hpp.
#pragma once

#include "flashlm/compute/cpu/reserved_memory.hpp"

#include <new>
#include <utility>

#include "flashlm/base/memory/aligned_buffer.hpp"

namespace flashlm::inline FLASHLM_ABI {

FLASHLM_INLINE ReservedMemory::ReservedMemory(std::size_t bytes)
    : size_(round_up(bytes, page_bytes())) {
  if (size_ == 0) return;
  data_ = detail::map_memory(size_, PROT_NONE, kFlags);
  if (data_ == nullptr) throw std::bad_alloc();
}

FLASHLM_INLINE ReservedMemory& ReservedMemory::operator=(ReservedMemory&& other) noexcept {
  ReservedMemory(std::move(other)).swap(*this);
  return *this;
}

FLASHLM_INLINE ReservedMemory::~ReservedMemory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

FLASHLM_INLINE void ReservedMemory::commit(std::size_t offset, std::size_t bytes,
                                           Parallel& parallel) {
  if (bytes == 0) return;
  std::byte* const begin = data_ + offset;
  if (::mprotect(begin, bytes, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  detail::prefer_huge_pages(begin, bytes);
  parallel.for_range(bytes, kTouchGrain, [&](std::size_t first, std::size_t end) {
    detail::touch(begin + first, end - first);
  });
  if (MemoryLock::active()) MemoryLock::lock(begin, bytes);
}

FLASHLM_INLINE void ReservedMemory::discard(std::size_t offset, std::size_t bytes) noexcept {
  // A new mapping in place of the old one: the addresses stay ours.
  if (bytes != 0) ::mmap(data_ + offset, bytes, PROT_NONE, kFlags | MAP_FIXED, -1, 0);
}

FLASHLM_INLINE void ReservedMemory::swap(ReservedMemory& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
}

}  // namespace flashlm::inline FLASHLM_ABI
