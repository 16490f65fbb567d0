// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/readers/memory_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <span>
#include <vector>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using support::random_bytes;

namespace {

bool holds(const std::vector<std::byte>& got, const std::vector<std::byte>& from,
           std::size_t offset) {
  return std::equal(got.begin(), got.end(), from.begin() + static_cast<std::ptrdiff_t>(offset));
}

bool poisoned(const std::vector<std::byte>& bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](std::byte byte) { return byte == MemoryReader::kPoison; });
}

}  // namespace

TEST_CASE("bytes arrive with wait and not before, unless they are released") {
  const auto bytes = random_bytes(1000, 1);
  MemoryReader reader({bytes});
  std::vector<std::byte> a(100), b(100);
  const Read first[] = {{0, 5, a}};
  const Read second[] = {{0, 300, b}};
  const Ticket one = reader.submit(first);
  const Ticket two = reader.submit(second);
  CHECK(poisoned(a));
  CHECK(poisoned(b));
  reader.release(two);
  CHECK(poisoned(a));
  CHECK(holds(b, bytes, 300));
  CHECK(reader.n_open() == 2);
  reader.wait(one);
  CHECK(holds(a, bytes, 5));
  reader.wait(two);
  CHECK(reader.n_open() == 0);
}

TEST_CASE("the n-th read fails with the code that was asked for, once") {
  MemoryReader reader({random_bytes(1000, 1)});
  std::vector<std::byte> a(10), b(10), c(10);
  const Read batch[] = {{0, 0, a}, {0, 10, b}, {0, 20, c}};
  for (std::uint64_t n = 0; n < 3; ++n) {
    reader.fail_at(n, EIO);
    try {
      reader.wait(reader.submit(batch));
      FAIL("no error");
    } catch (const IoError& error) {
      CHECK(error.code() == EIO);
    }
    CHECK(poisoned(a) == (n == 0));
    CHECK(poisoned(b) == (n == 1));
    CHECK(poisoned(c) == (n == 2));
    CHECK_NOTHROW(reader.wait(reader.submit(batch)));
  }
}

TEST_CASE("the order of the reads is remembered") {
  MemoryReader reader({random_bytes(1000, 1), random_bytes(50, 2)});
  std::vector<std::byte> a(10), b(20);
  const Read batch[] = {{1, 3, a}, {0, 7, b}};
  reader.wait(reader.submit(batch));
  CHECK(reader.log() == std::vector<Place>{{1, {3, 10}}, {0, {7, 20}}});
  reader.clear_log();
  CHECK(reader.log().empty());
}

TEST_CASE("gaps are counted as a device with that alignment makes them") {
  MemoryReader reader({random_bytes(1000, 1)}, 512);
  std::vector<std::byte> a(10), b(24);
  const Read batch[] = {{0, 510, a}, {0, 976, b}};
  reader.wait(reader.submit(batch));
  CHECK(reader.stats() == ReaderStats{2, 1000 + 488, 1000 + 488 - 34});
  CHECK_THROWS_AS(MemoryReader({}, 3), ArgumentError);
  CHECK_THROWS_AS(MemoryReader({}, 0), ArgumentError);
}

TEST_CASE("a memory file that is cut is too short") {
  MemoryReader reader({random_bytes(1000, 1)});
  std::vector<std::byte> a(10);
  const Read batch[] = {{0, 990, a}};
  CHECK_NOTHROW(reader.wait(reader.submit(batch)));
  reader.file(0).pop_back();
  CHECK_THROWS_AS(reader.wait(reader.submit(batch)), FormatError);
}

TEST_CASE("a wait that lasts is told once to on_stall and every second to on_wait, and then ends") {
  MemoryReader reader({std::vector<std::byte>(100)});
  std::vector<Stall> stalls;
  int waits = 0;
  reader.watch({[&] { ++waits; }, [&](const Stall& stall) { stalls.push_back(stall); }, 5});
  std::vector<std::byte> into(10);
  const Read read{0, 40, into};
  reader.stall(8);
  reader.wait(reader.submit({&read, 1}));
  CHECK(waits == 8);
  REQUIRE(stalls.size() == 1);
  CHECK(stalls[0].path == "memory file 0");
  CHECK(stalls[0].offset == 40);
  CHECK(stalls[0].bytes == 10);
  CHECK(stalls[0].seconds == 5);
  reader.wait(reader.submit({&read, 1}));
  CHECK(waits == 8);
}

TEST_CASE("a hook that throws ends the wait, and the ticket stays open") {
  MemoryReader reader({std::vector<std::byte>(100)});
  struct Stop {};
  bool stop = true;
  reader.watch({[&] {
                  if (stop) throw Stop();
                },
                {}});
  std::vector<std::byte> into(10);
  const Read read{0, 40, into};
  reader.stall(2);
  const Ticket ticket = reader.submit({&read, 1});
  CHECK_THROWS_AS(reader.wait(ticket), Stop);
  CHECK(reader.n_open() == 1);
  stop = false;
  reader.wait(ticket);
  CHECK(reader.n_open() == 0);
}
