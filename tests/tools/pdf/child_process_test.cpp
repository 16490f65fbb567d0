// SPDX-License-Identifier: Apache-2.0
#include "flashlm/tools/pdf/child_process.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/forked.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::tools;
using Kind = ChildEnd::Kind;

namespace {

std::vector<std::string> all(ChildProcess& child) {
  std::vector<std::string> texts;
  while (const auto message = child.next()) texts.push_back(message->kind + message->payload);
  return texts;
}

Kind end_of(const ChildLimits& limits, const std::function<void(const ChildSend&)>& work) {
  ChildProcess child(limits, work);
  all(child);
  return child.end().kind;
}

}  // namespace

TEST_CASE("messages of any size and content arrive in order") {
  const std::string large(3'000'000, '\0');
  ChildProcess child({}, [&](const ChildSend& send) {
    send('a', "");
    send('b', "two\nlines");
    send('c', large);
  });
  CHECK(all(child) == std::vector<std::string>{"a", "btwo\nlines", "c" + large});
  CHECK(child.end().kind == Kind::finished);
  CHECK_FALSE(child.next());
}

TEST_CASE("a child that hangs is killed at its deadline") {
  const auto start = std::chrono::steady_clock::now();
  CHECK(end_of({.seconds = 0.3}, [](const ChildSend&) {
          while (true) ::usleep(1000);
        }) == Kind::too_slow);
  CHECK(end_of({.seconds = 0.3}, [](const ChildSend& send) {
          while (true) send('x', "never done");
        }) == Kind::too_slow);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::minutes(5));
}

TEST_CASE("a child that wants too much memory is refused it") {
  if (!child_memory_is_limited()) return;
  std::vector<char> of_parent(std::size_t{200} << 20, 1);
  const ChildLimits limits{.seconds = 600, .memory_bytes = std::uint64_t{64} << 20};
  const auto take = [](std::size_t bytes) {
    return [bytes](const ChildSend& send) {
      const std::vector<char> memory(bytes, 1);
      send('m', std::to_string(memory.size()));
    };
  };
  CHECK(end_of(limits, take(std::size_t{32} << 20)) == Kind::finished);
  CHECK(end_of(limits, take(std::size_t{80} << 20)) == Kind::out_of_memory);
}

TEST_CASE("what ends a child does not end its parent") {
  CHECK(end_of({}, [](const ChildSend&) { throw std::runtime_error("no"); }) == Kind::crashed);
  CHECK(end_of({}, [](const ChildSend&) { throw std::bad_alloc(); }) == Kind::out_of_memory);
  CHECK(end_of({}, [](const ChildSend&) { std::exit(0); }) == Kind::crashed);
  CHECK(end_of({}, [](const ChildSend&) { ::_exit(3); }) == Kind::crashed);
  ChildProcess child({}, [](const ChildSend& send) {
    send('a', "before");
    ::raise(SIGSEGV);
  });
  CHECK(all(child) == std::vector<std::string>{"abefore"});
  CHECK(child.end().kind == Kind::crashed);
  CHECK(child.end().signal == SIGSEGV);
}

TEST_CASE("a child neither prints nor writes files nor flushes what its parent has buffered") {
  const support::TempFolder folder;
  const std::string path = folder / "out";
  std::FILE* file = std::fopen(path.c_str(), "w");
  REQUIRE(file != nullptr);
  std::fputs("once", file);
  CHECK(end_of({}, [&](const ChildSend&) {
          std::puts("never seen");
          std::fflush(stdout);
          std::exit(0);
        }) == Kind::crashed);
  CHECK(end_of({}, [&](const ChildSend&) {
          std::fputs("twice", file);
          if (std::fflush(file) == 0) return;
          throw std::runtime_error("it was refused");
        }) == Kind::crashed);
  std::fclose(file);
  CHECK(support::content(path).size() == 4);
}

TEST_CASE("a message that is larger than agreed ends the child") {
  CHECK(end_of({.message_bytes = 10}, [](const ChildSend& send) { send('a', "0123456789"); }) ==
        Kind::finished);
  ChildProcess child({.message_bytes = 10},
                     [](const ChildSend& send) { send('a', "0123456789x"); });
  CHECK_FALSE(child.next());
  CHECK(child.end().kind == Kind::crashed);
}

TEST_CASE("waiting can be interrupted, and the child does not outlive its parent's interest") {
  const auto start = std::chrono::steady_clock::now();
  int calls = 0;
  {
    ChildProcess child({}, [](const ChildSend&) { ::sleep(900); });
    CHECK_THROWS_AS(child.next([&] {
      if (++calls == 2) throw std::runtime_error("enough");
    }),
                    std::runtime_error);
  }
  CHECK(calls == 2);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::minutes(5));
}

TEST_CASE("children of several threads do not disturb each other") {
  if (has_sanitizer()) return;
  std::vector<std::thread> threads;
  std::vector<int> finished(4);
  std::atomic<bool> done = false;
  std::atomic<std::size_t> n_bytes = 0;
  std::thread busy([&] {  // locks that a child must not find locked
    while (!done) n_bytes += std::make_unique<std::string>(1000, 'x')->size();
  });
  for (std::size_t index = 0; index < finished.size(); ++index) {
    threads.emplace_back([&finished, index] {
      for (int round = 0; round < 10; ++round) {
        ChildProcess child({},
                           [&](const ChildSend& send) { send('a', std::string(100'000, 'x')); });
        const std::size_t n = all(child).size();
        finished[index] += n == 1 && child.end().kind == Kind::finished;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  done = true;
  busy.join();
  CHECK(finished == std::vector<int>(4, 10));
}

TEST_CASE("a process that was forked while a child was being made can make its own") {
  if (has_sanitizer()) return;
  const std::lock_guard lock(ChildProcess::fork_mutex());
  CHECK(support::in_child([] {
          ChildProcess child({}, [](const ChildSend& send) { send('a', "x"); });
          return all(child).size() == 1 ? 0 : 1;
        }) == 0);
}

TEST_CASE("limits must be positive") {
  const auto nothing = [](const ChildSend&) {};
  CHECK_THROWS_AS(ChildProcess({.seconds = 0}, nothing), ArgumentError);
  CHECK_THROWS_AS(ChildProcess({.memory_bytes = 0}, nothing), ArgumentError);
}
