// SPDX-License-Identifier: Apache-2.0
/// child_process.hpp: work on hostile input in a forked child, bounded in time and memory, that
/// answers in messages.
///
/// A library that meets hostile input may hang, eat memory or crash. In a child none of it reaches
/// the caller: the parent kills it at the deadline, the kernel refuses it memory, and a crash is an
/// outcome like others.
#pragma once

#include <sys/resource.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

/// What a child may use.
struct ChildLimits {
  double seconds = 60;                                  // of the clock on the wall, from its start
  std::uint64_t memory_bytes = std::uint64_t{1} << 30;  // beyond what the parent has; Linux only
  std::uint64_t message_bytes = std::uint64_t{256} << 20;  // of one message
};

/// What a child says: a kind, and bytes that mean what both sides agreed on.
struct ChildMessage {
  char kind = 0;
  std::string payload;
};

/// How a child ended.
struct ChildEnd {
  enum class Kind { finished, too_slow, out_of_memory, crashed };
  Kind kind = Kind::crashed;
  int signal = 0;  // the signal of a crash, 0 if it left in another way
};

/// Sends a message from the child, or hands it over in the same process.
using ChildSend = std::function<void(char kind, std::string_view payload)>;

/// True in a program whose bodies of flashlm a sanitizer watches: its allocator reserves more
/// memory than any limit, and its locks do not survive the fork of a program with several threads.
bool has_sanitizer() noexcept;

/// True where the kernel keeps a child below `memory_bytes`.
bool child_memory_is_limited() noexcept;

/// A forked child and the pipe from it. The destructor kills a child that still runs.
///
/// The child has one thread: the one that forked. It must not wait for locks that other threads of
/// the parent may hold; memory allocation is safe. Not thread-safe; different threads may have a
/// child each.
class ChildProcess {
 public:
  /// Starts `work` in a child. What it throws ends the child: std::bad_alloc as out_of_memory, all
  /// else as crashed.
  ///
  /// Throws ArgumentError if a limit is not positive, IoError if the system has no pipe or process
  /// to give.
  ChildProcess(const ChildLimits& limits, const std::function<void(const ChildSend&)>& work);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() { stop(); }

  /// The next message, or nothing after the child has ended; `end()` then says how.
  ///
  /// `on_wait` is called about ten times a second while the child is silent. It may throw; the
  /// child then goes on until the next call or the destructor.
  std::optional<ChildMessage> next(const std::function<void()>& on_wait = {});

  /// How the child ended. Meaningful after `next` has returned nothing.
  const ChildEnd& end() const noexcept { return end_; }

  /// Held while a child is made. Whoever uses a library that a child uses as well holds it
  /// meanwhile, so that no child inherits that library's locks in a locked state.
  static std::mutex& fork_mutex();

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr int kFinished = 0;
  static constexpr int kOutOfMemory = 81;
  static constexpr int kThrew = 82;

  static Clock::time_point deadline(const ChildLimits& limits);

  /// Reads exactly `length` bytes; false if the child ended first or had to be killed.
  bool fill(char* into, std::size_t length, const std::function<void()>& on_wait);

  /// Kills the child if it runs.
  void stop() noexcept;

  /// Closes the pipe and waits for the child, which has closed its end or gets `signal`.
  void finish(int signal) noexcept;

  /// The child's life.
  [[noreturn]] void run(int out, const std::function<void(const ChildSend&)>& work) noexcept;

  static void write_all(int out, std::string_view bytes);

  /// Takes from the child what it does not need: the terminal, files to write, the parent's
  /// handlers, memory and time.
  void confine() const noexcept;

  static void limit(decltype(RLIMIT_CORE) what, std::uint64_t value) noexcept;

  /// Bytes of address space in use, most of it shared with the parent.
  static std::uint64_t address_space() noexcept;

  ChildLimits limits_;
  Clock::time_point deadline_;
  pid_t pid_ = -1;
  int in_ = -1;  // the pipe; -1 after the end
  ChildEnd end_;
};

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/pdf/child_process.ipp"
#endif
