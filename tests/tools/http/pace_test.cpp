// SPDX-License-Identifier: Apache-2.0
/// pace_test.cpp: turns that keep their distance, in one process and over several.
#include "flashlm/tools/http/pace.hpp"

#include <sys/wait.h>

#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"
#include "support/stopwatch.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using flashlm::tools::Pace;
using support::Stopwatch;

namespace {

constexpr double kPatience = 600;  // for the lock: a machine may stop for many seconds

}  // namespace

TEST_CASE("The first turn comes at once, the next one after the interval") {
  const support::TempFolder folder;
  const Stopwatch start;
  Pace(folder / "other", 3600, kPatience).turn();
  CHECK(start.seconds() < 1800);
  const Stopwatch first;
  {
    Pace pace(folder / "lock", 0.3, kPatience);
    pace.turn();
    pace.turn();
    CHECK(first.seconds() >= 0.29);
  }
  Pace again(folder / "lock", 0.3, kPatience);
  again.turn();
  CHECK(first.seconds() >= 0.59);
}

TEST_CASE("Threads take turns") {
  const support::TempFolder folder;
  const Stopwatch start;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      Pace pace(folder / "lock", 0.1, kPatience);
      pace.turn();
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(start.seconds() >= 0.29);
}

TEST_CASE("Processes take turns, and the lock of one that dies is free") {
  const support::TempFolder folder;
  const std::string lock = (folder / "lock").string();
  const Stopwatch start;
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      Pace pace(lock, 0.2, kPatience);
      pace.turn();
      ::_exit(0);  // without its destructor
    }
    children.push_back(child);
  }
  for (const pid_t child : children) REQUIRE(::waitpid(child, nullptr, 0) == child);
  Pace pace(lock, 0.2, kPatience);
  pace.turn();
  CHECK(start.seconds() >= 0.59);
}

TEST_CASE("Who waits too long for the lock hears that it is busy, and may give up before") {
  const support::TempFolder folder;
  const Pace held(folder / "lock", 0, kPatience);
  try {
    Pace pace(folder / "lock", 0, 0.1);
    FAIL("two held the lock");
  } catch (const IoError& error) {
    CHECK(error.code() == EBUSY);
  }
  const auto stop = [](double) { throw std::runtime_error("enough"); };
  CHECK_THROWS_WITH(Pace(folder / "lock", 0, kPatience, stop), "enough");
}

TEST_CASE("A file of nonsense or of the future costs one interval at most") {
  const support::TempFolder folder;
  for (const char* text : {"", "nonsense", "nan", "inf", "-inf", "99999999999999", "-1"}) {
    CAPTURE(text);
    support::put(folder / "lock", std::string(text));
    const Stopwatch start;
    Pace pace(folder / "lock", 0.2, kPatience);
    pace.turn();
    CHECK(start.seconds() < 300);
  }
}

TEST_CASE("A lock file that is a link is refused") {
  const support::TempFolder folder;
  support::put(folder / "precious", std::string("text"));
  std::filesystem::create_symlink(folder / "precious", folder / "lock");
  CHECK_THROWS_AS(Pace(folder / "lock", 0, kPatience), IoError);
}
