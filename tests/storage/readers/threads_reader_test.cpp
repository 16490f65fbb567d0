// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/readers/threads_reader.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/stats.hpp"
#include "support/catch.hpp"
#include "support/replaced_pread.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using namespace support;

namespace {

std::vector<File> open_one(const std::filesystem::path& path, FileMode mode = FileMode::direct) {
  std::vector<File> files;
  files.push_back(File::open(path, mode));
  return files;
}

std::atomic<int> g_at_once{0};
std::atomic<int> g_most_at_once{0};

/// The first reads come back when four of them are here, or after minutes: then there are too few
/// threads.
ssize_t gathered_pread(int fd, void* into, std::size_t n, off_t offset) {
  const int now = ++g_at_once;
  int most = g_most_at_once;
  while (now > most && !g_most_at_once.compare_exchange_weak(most, now)) {
  }
  const double start = now_seconds();
  while (g_most_at_once < 4 && now_seconds() - start < 300) std::this_thread::yield();
  --g_at_once;
  return real_pread(fd, into, n, offset);
}

std::atomic<bool> g_held{true};

/// One thread that reads a file of 10,000 x; no read comes back while `g_held`.
struct HeldReader {
  explicit HeldReader(std::size_t capacity) {
    g_held = true;
    put(folder / "file", std::string(10000, 'x'));
    files = open_one(folder / "file", FileMode::buffered);
    reader.emplace(files, ThreadsReaderOptions{.n_threads = 1, .capacity = capacity});
    replaced.emplace([](int fd, void* into, std::size_t n, off_t offset) {
      while (g_held) std::this_thread::yield();
      return real_pread(fd, into, n, offset);
    });
  }

  ~HeldReader() { g_held = false; }

  TempFolder folder;
  std::vector<File> files;
  std::optional<ThreadsReader> reader;
  std::optional<ReplacedPread> replaced;
};

}  // namespace

TEST_CASE("as many reads are at the device as there are threads") {
  if (!kCanReplacePread) return;
  const TempFolder folder;
  put(folder / "x", random_bytes(100'000, 1));
  const auto files = open_one(folder / "x", FileMode::buffered);
  ThreadsReader reader(files, {.n_threads = 4, .capacity = 16});
  std::vector<std::byte> buffer(64 * 100);
  std::vector<Read> reads;
  for (std::size_t i = 0; i < 64; ++i)
    reads.push_back({0, i * 1000, std::span(buffer).subspan(i * 100, 100)});
  g_most_at_once = 0;
  const ReplacedPread gathered(gathered_pread);
  reader.wait(reader.submit(reads));
  CHECK(g_most_at_once == 4);
}

TEST_CASE("submit returns before the bytes are there") {
  if (!kCanReplacePread) return;
  const TempFolder folder;
  const auto bytes = random_bytes(100'000, 1);
  put(folder / "x", bytes);
  const auto files = open_one(folder / "x", FileMode::buffered);
  ThreadsReader reader(files, {.n_threads = 1, .capacity = 100});
  static std::atomic<bool> gate;
  gate = false;
  const ReplacedPread gated([](int fd, void* into, std::size_t n, off_t offset) -> ssize_t {
    gate.wait(false);
    return real_pread(fd, into, n, offset);
  });
  std::vector<std::byte> buffer(50 * 100);
  std::vector<Read> reads;
  for (std::size_t i = 0; i < 50; ++i)
    reads.push_back({0, i * 1000, std::span(buffer).subspan(i * 100, 100)});
  const Ticket ticket = reader.submit(reads);
  gate = true;
  gate.notify_all();
  reader.wait(ticket);
  CHECK(std::equal(buffer.begin(), buffer.begin() + 100, bytes.begin()));
}

TEST_CASE("a read that fails fails its batch only, and the reader goes on") {
  if (!kCanReplacePread) return;
  const TempFolder folder;
  const auto bytes = random_bytes(100'000, 1);
  put(folder / "x", bytes);
  for (const FileMode mode : {FileMode::buffered, FileMode::direct}) {
    const auto files = open_one(folder / "x", mode);
    ThreadsReader reader(files, {.n_threads = 4, .capacity = 8});
    AlignedBuffer buffer(40 * 512);
    const auto batch_of = [&](std::size_t first) {
      std::vector<Read> reads;
      for (std::size_t i = 0; i < 20; ++i) {
        reads.push_back({0, (first + i) * 512, buffer.bytes().subspan((first + i) * 512, 512)});
      }
      return reads;
    };
    {
      // Two places of the first batch are broken; the error is of the first of them in every run.
      const ReplacedPread broken([](int fd, void* into, std::size_t n, off_t offset) -> ssize_t {
        if (offset == 11 * 512) return errno = ENODATA, -1;
        if (offset == 7 * 512) {
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
          return errno = EIO, -1;
        }
        return real_pread(fd, into, n, offset);
      });
      for (int round = 0; round < 10; ++round) {
        const Ticket first = reader.submit(batch_of(0));
        const Ticket second = reader.submit(batch_of(20));
        try {
          reader.wait(first);
          FAIL("no error");
        } catch (const IoError& error) {
          CHECK(error.code() == EIO);
        }
        CHECK_NOTHROW(reader.wait(second));
        CHECK(std::equal(buffer.data() + 20 * 512, buffer.data() + 40 * 512,
                         bytes.begin() + 20 * 512));
        reader.submit(batch_of(0));
        reader.drain();
      }
    }
    reader.wait(reader.submit(batch_of(0)));
    CHECK(std::equal(buffer.data(), buffer.data() + 20 * 512, bytes.begin()));
  }
}

TEST_CASE("options out of range are ArgumentErrors") {
  const std::vector<File> files;
  CHECK_THROWS_AS(ThreadsReader(files, {.n_threads = 0}), ArgumentError);
  CHECK_THROWS_AS(ThreadsReader(files, {.n_threads = 1025}), ArgumentError);
  CHECK_THROWS_AS(ThreadsReader(files, {.capacity = 0}), ArgumentError);
  ThreadsReader reader(files);
  CHECK(reader.alignment() == 1);
  CHECK(reader.name() == "threads");
}

TEST_CASE("a device that stalls is told of, and the wait can be ended and taken up again") {
  if (!kCanReplacePread) return;
  HeldReader held(4);
  ThreadsReader& reader = *held.reader;
  struct Stop {};
  std::vector<Stall> stalls;
  int waits = 0;
  reader.watch({[&] {
                  if (++waits == 3) throw Stop();
                  if (waits == 5) g_held = false;
                },
                [&](const Stall& stall) { stalls.push_back(stall); }, 1e-9});
  std::vector<std::byte> into(100);
  const Read read{0, 300, into};
  const Ticket ticket = reader.submit({&read, 1});
  CHECK_THROWS_AS(reader.wait(ticket), Stop);
  reader.wait(ticket);
  CHECK(waits >= 5);
  CHECK(into[99] == std::byte{'x'});
  REQUIRE(stalls.size() == 2);
  CHECK(stalls[0].path == (held.folder / "file").string());
  CHECK(stalls[0].offset == 300);
}

TEST_CASE(
    "a wait for room in the queue can be ended by a hook: the batch is told of as interrupted, and "
    "others work") {
  if (!kCanReplacePread) return;
  HeldReader held(2);
  ThreadsReader& reader = *held.reader;
  struct Stop {};
  reader.watch({[] { throw Stop(); }, {}, 5});
  std::vector<std::vector<std::byte>> into(6, std::vector<std::byte>(100));
  std::vector<Read> reads;
  for (std::size_t at = 0; at < into.size(); ++at) reads.push_back({0, at * 1000, into[at]});
  const Ticket ticket = reader.submit(reads);
  CHECK_THROWS_AS(reader.wait(ticket), Stop);
  g_held = false;
  reader.watch({});
  try {
    reader.wait(ticket);
    FAIL("the batch is not whole");
  } catch (const IoError& error) {
    CHECK(error.code() == EINTR);
  }
  CHECK(into.front().front() == std::byte{'x'});
  CHECK(into.back().front() == std::byte{0});
  reader.wait(reader.submit(reads));
  CHECK(into.back().front() == std::byte{'x'});
}
