// SPDX-License-Identifier: Apache-2.0
/// process.hpp: what belongs to the process that made it, and is only a copy in a process that was
/// forked from it.
///
/// A fork copies memory, but not threads: in the child nobody unlocks what another thread had
/// locked, nobody answers who waits for a thread, and what another thread was changing stays half
/// changed (docs/threads_and_fork.md).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI {

/// The process in which an object was made: the member of a class that has threads, locks or memory
/// of the kernel.
class Origin {
 public:
  Origin() noexcept;

  /// Whether this is that process, and no fork of it. Not by its number, which a child in a
  /// container of its own shares.
  bool is_here() const noexcept { return forks_ == forks().load(std::memory_order_relaxed); }

  /// Throws Error in a forked child. `where` and `what` name the object: "engine", "the model".
  void require_here(const char* where, const char* what) const;

 private:
  /// How many forks lie between this process and the first one that asked.
  static std::atomic<std::uint64_t>& forks() noexcept;

  std::uint64_t forks_;
  pid_t pid_;
};

/// A mutex for short sections that a forked child goes through without it: whoever held it there
/// will not come back.
class ForkMutex {
 public:
  void lock();
  void unlock() noexcept;

 private:
  Origin origin_;
  std::mutex mutex_;
};

/// Makes a thread or a condition variable anew and forgets the old one, which a forked child can
/// neither join nor destroy: both would wait for threads that are not there.
template <class T>
void forget(T& object) noexcept {
  std::construct_at(std::addressof(object));
}

/// Deletes an object, unless this is a forked child and its `is_torn()` says that it was being
/// changed at the fork: no destructor can be trusted with that.
struct DeleteUnlessTorn {
  template <class T>
  void operator()(T* object) const noexcept {
    if (!object->is_torn()) delete object;
  }
};

}  // namespace flashlm::inline FLASHLM_ABI

#if !defined(FLASHLM_COMPILED)
#include "flashlm/base/process.ipp"
#endif
