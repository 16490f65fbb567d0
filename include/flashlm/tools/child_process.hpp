// SPDX-License-Identifier: Apache-2.0
/// child_process.hpp: work on hostile input in a forked child, bounded in time and memory, that answers in messages.
///
/// A library that meets hostile input may hang, eat memory or crash. In a child none of it reaches the caller: the
/// parent kills it at the deadline, the kernel refuses it memory, and a crash is an outcome like others.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/prctl.h>
#endif

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <string_view>

#include "flashlm/base/error.hpp"
#include "flashlm/base/process.hpp"

namespace flashlm::inline v0::tools {

/// What a child may use.
struct ChildLimits {
  double seconds = 60;                                     // of the clock on the wall, from its start
  std::uint64_t memory_bytes = std::uint64_t{1} << 30;     // beyond what the parent has; Linux only
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

/// True in a program that a sanitizer watches: its allocator reserves more memory than any limit, and its locks do not
/// survive the fork of a program with several threads.
constexpr bool has_sanitizer() noexcept {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return true;
#endif
#endif
  return false;
}

/// True where the kernel keeps a child below `memory_bytes`.
constexpr bool child_memory_is_limited() noexcept {
#if defined(__linux__)
  return !has_sanitizer();
#else
  return false;
#endif
}

/// A forked child and the pipe from it. The destructor kills a child that still runs.
///
/// The child has one thread: the one that forked. It must not wait for locks that other threads of the parent may hold;
/// memory allocation is safe. Not thread-safe; different threads may have a child each.
class ChildProcess {
 public:
  /// Starts `work` in a child. What it throws ends the child: std::bad_alloc as out_of_memory, all else as crashed.
  ///
  /// Throws ArgumentError if a limit is not positive, IoError if the system has no pipe or process to give.
  ChildProcess(const ChildLimits& limits, const std::function<void(const ChildSend&)>& work)
      : limits_(limits), deadline_(deadline(limits)) {
    const std::lock_guard lock(fork_mutex());  // else a child of another thread would keep this pipe open
    int ends[2];
    if (::pipe(ends) != 0) throw IoError("[child_process] cannot make a pipe", errno, "pipe");
    for (const int end : ends) ::fcntl(end, F_SETFD, FD_CLOEXEC);
    pid_ = ::fork();
    if (pid_ == 0) run(ends[1], work);
    const int code = errno;
    ::close(ends[1]);
    in_ = ends[0];
    if (pid_ < 0) {
      ::close(in_);
      throw IoError("[child_process] cannot fork", code, "fork");
    }
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() { stop(); }

  /// The next message, or nothing after the child has ended; `end()` then says how.
  ///
  /// `on_wait` is called about ten times a second while the child is silent. It may throw; the child then goes on until
  /// the next call or the destructor.
  std::optional<ChildMessage> next(const std::function<void()>& on_wait = {}) {
    if (in_ < 0) return std::nullopt;
    char head[9];
    ChildMessage message;
    if (!fill(head, sizeof head, on_wait)) return std::nullopt;
    message.kind = head[0];
    std::uint64_t length;
    std::memcpy(&length, head + 1, sizeof length);
    if (length > limits_.message_bytes) {  // the child is not in its right mind
      stop();
      end_ = {};
      return std::nullopt;
    }
    message.payload.resize(static_cast<std::size_t>(length));
    if (!fill(message.payload.data(), message.payload.size(), on_wait)) return std::nullopt;
    return message;
  }

  /// How the child ended. Meaningful after `next` has returned nothing.
  const ChildEnd& end() const noexcept { return end_; }

  /// Held while a child is made. Whoever uses a library that a child uses as well holds it meanwhile, so that no child
  /// inherits that library's locks in a locked state.
  static std::mutex& fork_mutex() {
    static std::mutex mutex;
    // A child that was forked by others meanwhile begins with a mutex that nobody holds.
    static const int registered = ::pthread_atfork(nullptr, nullptr, [] { forget(mutex); });
    static_cast<void>(registered);
    return mutex;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr int kFinished = 0;
  static constexpr int kOutOfMemory = 81;
  static constexpr int kThrew = 82;

  static Clock::time_point deadline(const ChildLimits& limits) {
    if (!(limits.seconds > 0) || limits.memory_bytes == 0) {
      throw ArgumentError(concat("[child_process] expected positive limits, got ", limits.seconds, " s and ",
                                 limits.memory_bytes, " bytes"));
    }
    constexpr double kLongest = 1e8;  // three years
    return Clock::now() + std::chrono::duration_cast<Clock::duration>(
                              std::chrono::duration<double>(std::min(limits.seconds, kLongest)));
  }

  /// Reads exactly `length` bytes; false if the child ended first or had to be killed.
  bool fill(char* into, std::size_t length, const std::function<void()>& on_wait) {
    while (length > 0) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
      if (left <= 0) {
        stop();
        end_ = {ChildEnd::Kind::too_slow, 0};
        return false;
      }
      pollfd waiting{in_, POLLIN, 0};
      const int ready = ::poll(&waiting, 1, static_cast<int>(std::min<std::int64_t>(left, 100)));
      if (ready <= 0) {
        if (on_wait) on_wait();
        continue;
      }
      const ssize_t n = ::read(in_, into, length);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        finish(0);
        return false;
      }
      into += n;
      length -= static_cast<std::size_t>(n);
    }
    return true;
  }

  /// Kills the child if it runs.
  void stop() noexcept {
    if (in_ >= 0) finish(SIGKILL);
  }

  /// Closes the pipe and waits for the child, which has closed its end or gets `signal`.
  void finish(int signal) noexcept {
    ::close(in_);
    in_ = -1;
    if (signal != 0) ::kill(pid_, signal);
    int status = 0;
    pid_t waited;
    do waited = ::waitpid(pid_, &status, 0);
    while (waited < 0 && errno == EINTR);
    end_ = {};
    if (waited < 0) return;  // somebody else took the status
    if (WIFSIGNALED(status)) {
      end_.signal = WTERMSIG(status);
      if (end_.signal == SIGXCPU) end_.kind = ChildEnd::Kind::too_slow;
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == kFinished) {
      end_.kind = ChildEnd::Kind::finished;
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == kOutOfMemory) {
      end_.kind = ChildEnd::Kind::out_of_memory;
    }
  }

  /// The child's life.
  [[noreturn]] void run(int out, const std::function<void(const ChildSend&)>& work) noexcept {
    confine();
    try {
      work([out](char kind, std::string_view payload) {
        const std::uint64_t length = payload.size();
        char head[9] = {kind};
        std::memcpy(head + 1, &length, sizeof length);
        write_all(out, {head, sizeof head});
        write_all(out, payload);
      });
    } catch (const std::bad_alloc&) {
      ::_exit(kOutOfMemory);
    } catch (...) {
      ::_exit(kThrew);
    }
    ::_exit(kFinished);
  }

  static void write_all(int out, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(out, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) ::_exit(kThrew);  // the parent has gone
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  /// Takes from the child what it does not need: the terminal, files to write, the parent's handlers, memory and time.
  void confine() const noexcept {
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTERM, SIGXCPU, SIGPIPE}) {
      ::signal(signal, SIG_DFL);
    }
    ::signal(SIGINT, SIG_IGN);   // a key meant for the parent, which decides
    ::signal(SIGXFSZ, SIG_IGN);  // writing a file fails instead
    const int nowhere = ::open("/dev/null", O_RDWR);
    for (int standard = 0; standard < 3; ++standard) ::dup2(nowhere, standard);
    // A library that calls exit() must not flush what the parent has buffered, nor run its handlers.
    std::atexit([] { ::_exit(kThrew); });
#if defined(__linux__)
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_CPU, static_cast<std::uint64_t>(std::min(limits_.seconds, 1e8)) + 2);
    if (child_memory_is_limited()) limit(RLIMIT_AS, address_space() + limits_.memory_bytes);
  }

  static void limit(decltype(RLIMIT_CORE) what, std::uint64_t value) noexcept {
    struct rlimit current{};
    if (::getrlimit(what, &current) != 0) return;
    current.rlim_cur = std::min<rlim_t>(current.rlim_max, static_cast<rlim_t>(value));
    ::setrlimit(what, &current);
  }

  /// Bytes of address space in use, most of it shared with the parent.
  static std::uint64_t address_space() noexcept {
    unsigned long long pages = 0;
    if (std::FILE* file = std::fopen("/proc/self/statm", "re")) {
      if (std::fscanf(file, "%llu", &pages) != 1) pages = 0;
      std::fclose(file);
    }
    return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }

  ChildLimits limits_;
  Clock::time_point deadline_;
  pid_t pid_ = -1;
  int in_ = -1;  // the pipe; -1 after the end
  ChildEnd end_;
};

}  // namespace flashlm::inline v0::tools
