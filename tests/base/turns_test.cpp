// SPDX-License-Identifier: Apache-2.0
/// turns_test.cpp: order, waits that end, callbacks and forks; and that nothing races (under the
/// thread sanitizer).
#include "flashlm/base/turns.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/forked.hpp"

using namespace flashlm;

namespace {

/// Returns when as many threads wait as were started since: each tells that it is about to.
void wait_for(const std::atomic<int>& value, int wanted) {
  while (value.load() < wanted) std::this_thread::yield();
}

}  // namespace

TEST_CASE("one thread at a time has the turn") {
  Turns turns;
  int inside = 0;
  int most = 0;
  int total = 0;
  std::vector<std::thread> threads;
  for (int index = 0; index < 4; ++index) {
    threads.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        const Turns::Turn turn(turns);
        most = std::max(most, ++inside);
        ++total;
        --inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(most == 1);
  CHECK(total == 2000);
}

TEST_CASE("turns come in the order in which threads ask") {
  Turns turns;
  std::vector<int> order;
  std::vector<std::thread> threads;
  std::atomic<int> waiting{0};
  {
    const Turns::Turn turn(turns);
    for (int index = 0; index < 4; ++index) {
      threads.emplace_back([&, index] {
        // The hook is called by those who wait, so it tells that this one has its place.
        bool told = false;
        const Turns::Turn mine(turns, [&] {
          if (!std::exchange(told, true)) ++waiting;
        });
        order.push_back(index);
      });
      wait_for(waiting, index + 1);
    }
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(order == std::vector<int>{0, 1, 2, 3});
}

TEST_CASE("a wait that its hook ends leaves the turn to the next") {
  Turns turns;
  std::atomic<int> waiting{0};
  std::atomic<bool> stop{false};
  std::atomic<int> stopped{0};
  std::atomic<bool> came{false};
  auto turn = std::make_unique<Turns::Turn>(turns);
  std::thread first([&] {
    try {
      const Turns::Turn mine(turns, [&] {
        ++waiting;
        if (stop) throw std::runtime_error("enough");
      });
    } catch (const std::runtime_error&) {
      ++stopped;
    }
  });
  wait_for(waiting, 1);
  std::thread second([&] {
    const Turns::Turn mine(turns);
    came = true;
  });
  stop = true;
  first.join();
  CHECK(stopped == 1);
  CHECK_FALSE(came);
  turn.reset();
  second.join();
  CHECK(came);
  const Turns::Turn again(turns);
}

TEST_CASE(
    "a callback that asks for the turn it was called in, or is waiting for, gets an "
    "ArgumentError") {
  Turns turns;
  {
    const Turns::Turn turn(turns);
    CHECK_THROWS_AS(Turns::Turn(turns), ArgumentError);
  }
  auto turn = std::make_unique<Turns::Turn>(turns);
  std::atomic<int> refused{0};
  std::thread other([&] {
    const Turns::Turn mine(turns, [&] {
      try {
        const Turns::Turn nested(turns);
      } catch (const ArgumentError&) {
        ++refused;
      }
    });
  });
  wait_for(refused, 1);
  turn.reset();
  other.join();
}

TEST_CASE("a fork gets no turn, whoever has it, and ends") {
  auto turns = std::make_unique<Turns>();
  CHECK(support::in_child([&] {
          if (!support::says_it_is_a_fork([&] { Turns::Turn turn(*turns); })) return 1;
          if (turns->is_torn()) return 2;
          turns.reset();
          return 0;
        }) == 0);
  std::atomic<int> waiting{0};
  auto turn = std::make_unique<Turns::Turn>(*turns);
  std::thread other([&] { const Turns::Turn mine(*turns, [&] { ++waiting; }); });
  wait_for(waiting, 1);
  CHECK(support::in_child([&] {
          if (!turns->is_torn()) return 1;
          turn.reset();
          turns.reset();
          return 0;
        }) == 0);
  CHECK_FALSE(turns->is_torn());
  turn.reset();
  other.join();
}
