// SPDX-License-Identifier: Apache-2.0
/// pace_test.cpp: turns that keep their distance, in one process and over several.
#include "flashlm/tools/pace.hpp"

#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using flashlm::tools::Pace;
using Clock = std::chrono::steady_clock;

TEST_CASE("The first turn comes at once, the next one after the interval") {
  const support::TempFolder folder;
  auto start = Clock::now();
  Pace(folder / "other", 60, 5).turn();
  CHECK(Clock::now() - start < std::chrono::seconds(30));
  start = Clock::now();
  {
    Pace pace(folder / "lock", 0.3, 5);
    pace.turn();
    pace.turn();
    CHECK(Clock::now() - start >= std::chrono::milliseconds(290));
  }
  Pace again(folder / "lock", 0.3, 5);
  again.turn();
  CHECK(Clock::now() - start >= std::chrono::milliseconds(590));
}

TEST_CASE("Threads take turns") {
  const support::TempFolder folder;
  const auto start = Clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      Pace pace(folder / "lock", 0.1, 20);
      pace.turn();
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(Clock::now() - start >= std::chrono::milliseconds(295));
}

TEST_CASE("Processes take turns, and the lock of one that dies is free") {
  const support::TempFolder folder;
  const std::string lock = (folder / "lock").string();
  const auto start = Clock::now();
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      Pace pace(lock, 0.2, 20);
      pace.turn();
      ::_exit(0);  // without its destructor
    }
    children.push_back(child);
  }
  for (const pid_t child : children) REQUIRE(::waitpid(child, nullptr, 0) == child);
  Pace pace(lock, 0.2, 5);
  pace.turn();
  CHECK(Clock::now() - start >= std::chrono::milliseconds(590));
}

TEST_CASE("Who waits too long for the lock hears that it is busy, and may give up before") {
  const support::TempFolder folder;
  const Pace held(folder / "lock", 0, 5);
  try {
    Pace pace(folder / "lock", 0, 0.1);
    FAIL("two held the lock");
  } catch (const IoError& error) {
    CHECK(error.code() == EBUSY);
  }
  const auto stop = [](double) { throw std::runtime_error("enough"); };
  CHECK_THROWS_WITH(Pace(folder / "lock", 0, 20, stop), "enough");
}

TEST_CASE("A file of nonsense or of the future costs one interval at most") {
  const support::TempFolder folder;
  for (const char* text : {"", "nonsense", "nan", "inf", "-inf", "99999999999999", "-1"}) {
    CAPTURE(text);
    support::put(folder / "lock", std::string(text));
    const auto start = Clock::now();
    Pace pace(folder / "lock", 0.2, 5);
    pace.turn();
    CHECK(Clock::now() - start < std::chrono::seconds(20));
  }
}

TEST_CASE("A lock file that is a link is refused") {
  const support::TempFolder folder;
  support::put(folder / "precious", std::string("text"));
  std::filesystem::create_symlink(folder / "precious", folder / "lock");
  CHECK_THROWS_AS(Pace(folder / "lock", 0, 5), IoError);
}
