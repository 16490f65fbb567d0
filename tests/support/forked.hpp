// SPDX-License-Identifier: Apache-2.0
/// forked.hpp: what a forked child does, and whether it ends.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <exception>
#include <string>
#include <thread>

#include "flashlm/base/error.hpp"
#include "flashlm/base/stats.hpp"

namespace support {

inline constexpr int kThrew = 120;  // exit code of a child whose body threw something unexpected
inline constexpr double kPatienceSeconds = 300;

/// The exit code of a child that runs `body` and exits with what it returns; minus the signal that
/// ended it. One that hangs is killed, after minutes.
template <class Body>
int in_child(Body&& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    int code = kThrew;
    try {
      code = body();
    } catch (...) {
    }
    ::_exit(code);
  }
  int status = 0;
  const double start = flashlm::now_seconds();
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (flashlm::now_seconds() - start > kPatienceSeconds) ::kill(child, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/// Whether `call` throws an Error that says that this is a fork, and what to do.
template <class Call>
bool says_it_is_a_fork(Call&& call) {
  try {
    call();
  } catch (const flashlm::IoError&) {
    return false;
  } catch (const flashlm::ArgumentError&) {
    return false;
  } catch (const flashlm::Error& error) {
    const std::string what = error.what();
    return what.find("got a fork of it") != std::string::npos &&
           what.find("in the child") != std::string::npos;
  }
  return false;
}

}  // namespace support
