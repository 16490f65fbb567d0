// SPDX-License-Identifier: Apache-2.0
/// parallel_test.cpp: ranges are covered once, exceptions arrive, and nothing races (under the
/// thread sanitizer).
#include "flashlm/compute/cpu/parallel.hpp"

#include <atomic>
#include <memory>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/forked.hpp"

using namespace flashlm;

TEST_CASE("every index is visited exactly once, in ranges that end at multiples of the grain") {
  const int n_threads = GENERATE(1, 2, 3, 8);
  Parallel parallel(n_threads);
  for (std::size_t n : {0, 1, 2, 7, 8, 9, 64, 1000, 4097}) {
    for (std::size_t grain : {1, 3, 8, 32, 5000}) {
      std::vector<int> visits(n, 0);
      std::mutex mutex;
      std::vector<std::pair<std::size_t, std::size_t>> ranges;
      parallel.for_range(n, grain, [&](std::size_t begin, std::size_t end) {
        for (std::size_t index = begin; index < end; ++index) ++visits[index];
        const std::lock_guard lock(mutex);
        ranges.emplace_back(begin, end);
      });
      INFO("threads " << n_threads << ", n " << n << ", grain " << grain);
      CHECK(visits == std::vector<int>(n, 1));
      CHECK((n_threads > 1 || ranges.size() <= 1));
      for (const auto& [begin, end] : ranges) {
        CHECK(begin < end);
        CHECK(begin % grain == 0);
        CHECK((end % grain == 0 || end == n));
      }
    }
  }
}

TEST_CASE(
    "work is spread over all threads, and every running call has a thread number of its own") {
  Parallel parallel(3);
  std::atomic<int> running{0};
  std::mutex mutex;
  std::set<std::thread::id> ids;
  std::set<std::size_t> numbers;
  // A call returns when three are running, so that no thread can do the work of another.
  parallel.for_threads(3, 1, [&](std::size_t thread, std::size_t, std::size_t) {
    {
      const std::lock_guard lock(mutex);
      ids.insert(std::this_thread::get_id());
      numbers.insert(thread);
    }
    ++running;
    while (running < 3) std::this_thread::yield();
  });
  CHECK(ids.size() == 3);
  CHECK(numbers == std::set<std::size_t>{0, 1, 2});
}

TEST_CASE("a thread that is held up does not hold up the parts that others can do") {
  Parallel parallel(2);
  std::atomic<int> others{0};
  parallel.for_range(8, 1, [&](std::size_t begin, std::size_t) {
    if (begin != 0) {
      ++others;
      return;
    }
    while (others < 7) std::this_thread::yield();
  });
  CHECK(others == 7);
}

TEST_CASE("an exception of any part arrives at the caller, and the next call works") {
  Parallel parallel(4);
  for (std::size_t bad = 0; bad < 4; ++bad) {
    std::atomic<int> finished{0};
    const auto run = [&] {
      parallel.for_range(4, 1, [&](std::size_t begin, std::size_t) {
        if (begin == bad) throw std::runtime_error("part " + std::to_string(bad));
        ++finished;
      });
    };
    CHECK_THROWS_WITH(run(), "part " + std::to_string(bad));
    CHECK(finished == 3);
  }
  std::atomic<int> sum{0};
  parallel.for_range(
      100, 1, [&](std::size_t begin, std::size_t end) { sum += static_cast<int>(end - begin); });
  CHECK(sum == 100);
}

TEST_CASE("when all parts throw, one exception arrives") {
  Parallel parallel(3);
  CHECK_THROWS_AS(
      parallel.for_range(3, 1, [](std::size_t, std::size_t) { throw std::out_of_range("all"); }),
      std::out_of_range);
}

TEST_CASE("a body without threads' help runs in the caller") {
  Parallel parallel(4);
  std::thread::id seen;
  parallel.for_range(5, 8, [&](std::size_t, std::size_t) { seen = std::this_thread::get_id(); });
  CHECK(seen == std::this_thread::get_id());
}

TEST_CASE("the number of threads is checked; 0 takes them all") {
  CHECK(Parallel(0).n_threads() >= 1);
  CHECK(Parallel(3).n_threads() == 3);
  CHECK_THROWS_AS(Parallel(-1), ArgumentError);
  CHECK_THROWS_AS(Parallel(1025), ArgumentError);
}

TEST_CASE("many short regions, each using what the one before wrote", "[slow]") {
  Parallel parallel(4);
  std::vector<std::uint64_t> values(1000, 0);
  constexpr std::uint64_t kRounds = 3000;
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    // The ranges move from round to round, so that a thread reads what another has written.
    parallel.for_range(values.size(), 1 + round % 97, [&](std::size_t begin, std::size_t end) {
      for (std::size_t index = begin; index < end; ++index) values[index] += index;
    });
  }
  const std::uint64_t sum = std::accumulate(values.begin(), values.end(), std::uint64_t{0});
  CHECK(sum == kRounds * 999 * 1000 / 2);
}

TEST_CASE("teams come and go, idle or asleep", "[slow]") {
  for (int index = 0; index < 200; ++index) {
    Parallel parallel(1 + index % 5);
    if (index % 3 == 0) continue;
    if (index % 50 == 1)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));  // long enough to fall asleep
    std::atomic<std::size_t> sum{0};
    parallel.for_range(64, 1, [&](std::size_t begin, std::size_t end) { sum += end - begin; });
    REQUIRE(sum == 64);
  }
}

TEST_CASE("two teams work side by side", "[slow]") {
  const auto work = [] {
    Parallel parallel(2);
    std::vector<int> values(256, 0);
    for (int round = 0; round < 500; ++round) {
      parallel.for_range(values.size(), 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t index = begin; index < end; ++index) ++values[index];
      });
    }
    return values == std::vector<int>(256, 500);
  };
  bool other = false;
  std::thread thread([&] { other = work(); });
  const bool mine = work();
  thread.join();
  CHECK(mine);
  CHECK(other);
}

TEST_CASE("a forked child does all parts alone, also while others are at work, and ends") {
  auto parallel = std::make_unique<Parallel>(3);
  const auto sum = [](Parallel& team) {
    std::atomic<std::size_t> total{0};
    team.for_range(1000, 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) total += i;
    });
    return total.load();
  };
  CHECK(sum(*parallel) == 499'500);
  CHECK(support::in_child([&] {
          if (sum(*parallel) != 499'500) return 1;
          parallel.reset();
          return 0;
        }) == 0);
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) sum(*parallel);
  });
  for (int round = 0; round < 20; ++round) {
    CHECK(support::in_child([&] {
            if (sum(*parallel) != 499'500) return 1;
            parallel.reset();
            return 0;
          }) == 0);
  }
  stop = true;
  busy.join();
  CHECK(sum(*parallel) == 499'500);
}

#if !defined(__SANITIZE_THREAD__)  // which ends a child that starts threads
TEST_CASE("a forked child can make a team of its own") {
  Parallel parallel(3);
  const auto count = [](Parallel& team) {
    std::atomic<int> n{0};
    team.for_range(100, 1,
                   [&](std::size_t begin, std::size_t end) { n += static_cast<int>(end - begin); });
    return n.load();
  };
  CHECK(count(parallel) == 100);
  CHECK(support::in_child([&] {
          Parallel own(3);
          return count(own) == 100 ? 0 : 1;
        }) == 0);
  CHECK(count(parallel) == 100);
}
#endif
