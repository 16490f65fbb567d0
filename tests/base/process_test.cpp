// SPDX-License-Identifier: Apache-2.0
#include "flashlm/base/process.hpp"

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include "support/catch.hpp"
#include "support/forked.hpp"

using namespace flashlm;

namespace {

struct Counted {
  ~Counted() { ++destroyed; }
  bool is_torn() const { return torn; }
  int& destroyed;
  bool torn;
};

}  // namespace

TEST_CASE("an object is here where it was made, and not in a fork, nor in a fork of that") {
  const Origin origin;
  CHECK(origin.is_here());
  CHECK_NOTHROW(origin.require_here("test", "the thing"));
  CHECK(support::in_child([&] {
          if (origin.is_here()) return 1;
          const Origin own;
          if (!own.is_here()) return 2;
          if (!support::says_it_is_a_fork([&] { origin.require_here("test", "the thing"); }))
            return 3;
          return support::in_child([&] { return origin.is_here() || own.is_here() ? 4 : 0; });
        }) == 0);
  CHECK(origin.is_here());
}

TEST_CASE("a fork goes through a mutex that was locked, and the parent's is as before") {
  ForkMutex mutex;
  mutex.lock();
  CHECK(support::in_child([&] {
          const std::lock_guard lock(mutex);
          return 0;
        }) == 0);
  mutex.unlock();
  const std::lock_guard lock(mutex);
}

TEST_CASE(
    "a fork ends although it has threads that are not there, and conditions that they wait for") {
  std::mutex mutex;
  bool go_on = false;
  auto changed = std::make_unique<std::condition_variable>();
  std::optional<std::thread> thread(std::in_place, [&] {
    std::unique_lock lock(mutex);
    changed->wait(lock, [&] { return go_on; });
  });
  CHECK(support::in_child([&] {
          forget(*thread);
          forget(*changed);
          thread.reset();
          changed.reset();
          return 0;
        }) == 0);
  {
    const std::lock_guard lock(mutex);
    go_on = true;
  }
  changed->notify_all();
  thread->join();
}

TEST_CASE("what was being changed at a fork is left alone there") {
  int destroyed = 0;
  DeleteUnlessTorn()(new Counted{destroyed, false});
  CHECK(destroyed == 1);
  alignas(Counted) std::byte memory[sizeof(Counted)];
  auto* torn = new (memory) Counted{destroyed, true};
  DeleteUnlessTorn()(torn);
  CHECK(destroyed == 1);
}
