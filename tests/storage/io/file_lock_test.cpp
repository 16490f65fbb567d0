// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/io/file_lock.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/forked.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using storage::FileLock;
using namespace std::chrono_literals;

TEST_CASE("a lock is held by one at a time, and given back") {
  const support::TempFolder folder;
  {
    const std::optional<FileLock> first = FileLock::acquire(folder / "lock");
    REQUIRE(first);
    CHECK(!FileLock::acquire(folder / "lock"));
    CHECK(!FileLock::acquire(folder / "lock", 20ms));
  }
  CHECK(FileLock::acquire(folder / "lock"));
}

TEST_CASE("who waits long enough gets the lock") {
  const support::TempFolder folder;
  std::atomic<int> inside{0};  // atomic for the thread sanitizer, which does not know that the
                               // kernel's lock orders threads
  std::atomic<int> turns{0};
  std::atomic<bool> alone{true};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int turn = 0; turn < 5; ++turn) {
        const std::optional<FileLock> lock = FileLock::acquire(folder / "lock", 600s);
        if (!lock) continue;
        if (++inside != 1) alone = false;
        ++turns;
        --inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(alone);
  CHECK(turns == 20);
}

TEST_CASE("a lock of a process that was killed is free") {
  const support::TempFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    const std::optional<FileLock> lock = FileLock::acquire(folder / "lock");
    ::kill(::getpid(), SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  CHECK(FileLock::acquire(folder / "lock"));
}

TEST_CASE("a lock in a folder that does not exist is an IoError") {
  const support::TempFolder folder;
  CHECK_THROWS_AS(FileLock::acquire(folder / "no" / "lock"), IoError);
}

TEST_CASE(
    "a child that was forked meanwhile keeps nobody out, and gives nothing back that is not its "
    "own") {
  const support::TempFolder folder;
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  pid_t child = 0;
  {
    std::optional<FileLock> lock = FileLock::acquire(folder / "lock");
    REQUIRE(lock);
    CHECK(support::in_child([&] {
            lock.reset();
            return 0;
          }) == 0);
    CHECK_FALSE(FileLock::acquire(folder / "lock"));
    child = ::fork();
    if (child == 0) {
      char byte = 0;
      ::close(ends[1]);
      ::_exit(::read(ends[0], &byte, 1) == 0 ? 0 : 1);  // lives until the parent is done
    }
  }
  CHECK(FileLock::acquire(folder / "lock"));
  ::close(ends[1]);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
}
