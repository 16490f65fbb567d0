// SPDX-License-Identifier: Apache-2.0
/// reserved_memory.hpp: a range of addresses of which some pages are in DRAM.
#pragma once

#include <sys/mman.h>

#include <cstddef>

#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI {

/// Addresses for everything, memory for what is committed: neighbours keep their places when pages
/// between them come and go. Addresses cost nothing.
///
/// Not thread-safe.
class ReservedMemory {
 public:
  ReservedMemory() = default;

  /// Takes addresses only. Throws std::bad_alloc when the system gives none.
  explicit ReservedMemory(std::size_t bytes);

  ReservedMemory(ReservedMemory&& other) noexcept { swap(other); }
  ReservedMemory& operator=(ReservedMemory&& other) noexcept;
  ~ReservedMemory();

  std::byte* data() noexcept { return data_; }
  const std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

  /// Brings [offset, offset + bytes), whole pages, into DRAM: zeroed, and touched by all threads.
  ///
  /// Throws std::bad_alloc when the system gives no more, IoError if memory is to be locked and
  /// must not.
  void commit(std::size_t offset, std::size_t bytes, Parallel& parallel);

  /// Gives [offset, offset + bytes), whole pages, back to the system.
  void discard(std::size_t offset, std::size_t bytes) noexcept;

 private:
  static constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  static constexpr std::size_t kTouchGrain = std::size_t{4} << 20;

  void swap(ReservedMemory& other) noexcept;

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace flashlm::inline FLASHLM_ABI

#if !defined(FLASHLM_COMPILED)
#include "flashlm/compute/cpu/reserved_memory.ipp"
#endif
