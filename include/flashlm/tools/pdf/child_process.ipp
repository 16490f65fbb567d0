// SPDX-License-Identifier: Apache-2.0
/// child_process.ipp: the bodies of child_process.hpp.
#pragma once

#include "flashlm/tools/pdf/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "flashlm/base/error.hpp"
#include "flashlm/base/process.hpp"

#if defined(__linux__)
#include <sys/prctl.h>
#endif

namespace flashlm::inline FLASHLM_ABI::tools {

FLASHLM_INLINE bool has_sanitizer() noexcept {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return true;
#endif
#endif
  return false;
}

FLASHLM_INLINE bool child_memory_is_limited() noexcept {
#if defined(__linux__)
  return !has_sanitizer();
#else
  return false;
#endif
}

FLASHLM_INLINE ChildProcess::ChildProcess(const ChildLimits& limits,
                                          const std::function<void(const ChildSend&)>& work)
    : limits_(limits), deadline_(deadline(limits)) {
  const std::lock_guard lock(
      fork_mutex());  // else a child of another thread would keep this pipe open
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

FLASHLM_INLINE std::optional<ChildMessage> ChildProcess::next(
    const std::function<void()>& on_wait) {
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

FLASHLM_INLINE std::mutex& ChildProcess::fork_mutex() {
  static std::mutex mutex;
  // A child that was forked by others meanwhile begins with a mutex that nobody holds.
  static const int registered = ::pthread_atfork(nullptr, nullptr, [] { forget(mutex); });
  static_cast<void>(registered);
  return mutex;
}

FLASHLM_INLINE ChildProcess::Clock::time_point ChildProcess::deadline(const ChildLimits& limits) {
  if (!(limits.seconds > 0) || limits.memory_bytes == 0) {
    throw ArgumentError(concat("[child_process] expected positive limits, got ", limits.seconds,
                               " s and ", limits.memory_bytes, " bytes"));
  }
  constexpr double kLongest = 1e8;  // three years
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(
                            std::chrono::duration<double>(std::min(limits.seconds, kLongest)));
}

FLASHLM_INLINE bool ChildProcess::fill(char* into, std::size_t length,
                                       const std::function<void()>& on_wait) {
  while (length > 0) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
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

FLASHLM_INLINE void ChildProcess::stop() noexcept {
  if (in_ >= 0) finish(SIGKILL);
}

FLASHLM_INLINE void ChildProcess::finish(int signal) noexcept {
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

FLASHLM_INLINE void ChildProcess::run(int out,
                                      const std::function<void(const ChildSend&)>& work) noexcept {
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

FLASHLM_INLINE void ChildProcess::write_all(int out, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(out, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) ::_exit(kThrew);  // the parent has gone
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

FLASHLM_INLINE void ChildProcess::confine() const noexcept {
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

FLASHLM_INLINE void ChildProcess::limit(decltype(RLIMIT_CORE) what, std::uint64_t value) noexcept {
  struct rlimit current{};
  if (::getrlimit(what, &current) != 0) return;
  current.rlim_cur = std::min<rlim_t>(current.rlim_max, static_cast<rlim_t>(value));
  ::setrlimit(what, &current);
}

FLASHLM_INLINE std::uint64_t ChildProcess::address_space() noexcept {
  unsigned long long pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(file, "%llu", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace flashlm::inline FLASHLM_ABI::tools
