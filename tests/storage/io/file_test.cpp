// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/io/file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/random.hpp"
#include "support/catch.hpp"
#include "support/replaced_pread.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using namespace support;
using Catch::Matchers::ContainsSubstring;

namespace {

std::atomic<int> g_calls{0};

/// Reads of many offsets, lengths and addresses, aligned and not, against the bytes that were
/// written.
void check_all_reads(const File& file, const std::vector<std::byte>& bytes, int rounds) {
  Random random(7);
  AlignedBuffer buffer(bytes.size() + 3 * kPageBytes);
  for (int i = 0; i < rounds; ++i) {
    const std::size_t unit = std::size_t{1} << (random.next() % 13);
    std::size_t offset = random.next() % (bytes.size() + 1);
    std::size_t n = random.next() % (bytes.size() - offset + 1);
    if (random.next() % 2) n = std::min<std::size_t>(n, random.next() % 20000);
    if (random.next() % 2) offset -= offset % unit;
    if (random.next() % 2) n -= n % unit;
    std::size_t address = random.next() % kPageBytes;
    if (random.next() % 2) address -= address % unit;
    if (random.next() % 4 == 0) address = offset % kPageBytes;
    std::fill_n(buffer.data(), buffer.size(), std::byte{0xee});
    const auto into = buffer.bytes().subspan(address, n);
    file.read(offset, into);
    INFO("offset " << offset << ", " << n << " bytes, address " << address);
    REQUIRE(
        std::equal(into.begin(), into.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset)));
    REQUIRE(buffer.data()[address + n] == std::byte{0xee});
    if (address > 0) REQUIRE(buffer.data()[address - 1] == std::byte{0xee});
  }
}

}  // namespace

TEST_CASE("a file reads any bytes at any address, buffered and direct") {
  const TempFolder folder;
  for (const std::size_t size : {1u, 511u, 512u, 513u, 4096u, 5000u, 700'001u}) {
    const auto bytes = random_bytes(size, size);
    put(folder / "x", bytes);
    for (const FileMode mode : {FileMode::buffered, FileMode::direct}) {
      const File file = File::open(folder / "x", mode);
      CHECK(file.size() == size);
      check_all_reads(file, bytes, size > 10000 ? 300 : 100);
    }
  }
}

TEST_CASE("a file in memory is never direct, whatever the kernel says of it") {
  if (!std::filesystem::is_directory("/dev/shm")) return;
  const TempFolder folder("/dev/shm");
  const auto bytes = random_bytes(100'003, 5);
  put(folder / "x", bytes);
  const File file = File::open(folder / "x", FileMode::direct);
  CHECK_FALSE(file.direct());
  CHECK(file.alignment() == 1);
  check_all_reads(file, bytes, 200);
}

TEST_CASE("a direct file falls back when its probe read fails") {
  if (!kCanReplacePread) return;
  const TempFolder folder;
  const auto bytes = random_bytes(9000, 6);
  put(folder / "x", bytes);
  std::optional<File> file;
  {
    const ReplacedPread refuse(
        [](int, void*, std::size_t, off_t) -> ssize_t { return errno = EINVAL, -1; });
    file = File::open(folder / "x", FileMode::direct);
  }
  CHECK_FALSE(file->direct());
  CHECK(file->alignment() == 1);
  check_all_reads(*file, bytes, 50);
}

TEST_CASE("the alignment of a file is 1 when buffered and a power of two when direct") {
  const TempFolder folder;
  put(folder / "x", random_bytes(10000, 1));
  CHECK(File::open(folder / "x").alignment() == 1);
  CHECK_FALSE(File::open(folder / "x").direct());
  const File direct = File::open(folder / "x", FileMode::direct);
  if (direct.direct()) {
    CHECK(direct.alignment() >= 2);
    CHECK((direct.alignment() & (direct.alignment() - 1)) == 0);
  }
}

TEST_CASE("the superset of an extent is aligned and ends with the file") {
  const TempFolder folder;
  put(folder / "x", random_bytes(10000, 1));
  const File buffered = File::open(folder / "x");
  CHECK(buffered.superset({5, 7}) == Extent{5, 7});
  const File direct = File::open(folder / "x", FileMode::direct);
  const std::uint64_t unit = direct.alignment();
  CHECK(direct.superset({0, unit}) == Extent{0, unit});
  CHECK(direct.superset({9999, 1}) == Extent{9999 / unit * unit, 10000 - 9999 / unit * unit});
}

TEST_CASE("an empty file is a file") {
  const TempFolder folder;
  put(folder / "x", "");
  for (const FileMode mode : {FileMode::buffered, FileMode::direct}) {
    const File file = File::open(folder / "x", mode);
    CHECK(file.size() == 0);
    CHECK_NOTHROW(file.read(0, {}));
    std::byte one;
    CHECK_THROWS_AS(file.read(0, {&one, 1}), FormatError);
  }
}

TEST_CASE("a file that cannot be opened is an IoError with code and path") {
  const TempFolder folder;
  try {
    File::open(folder / "missing");
    FAIL("opened");
  } catch (const IoError& error) {
    CHECK(error.code() == ENOENT);
    CHECK(error.path() == (folder / "missing").string());
  }
  try {
    File::open(folder.path());
    FAIL("opened");
  } catch (const IoError& error) {
    CHECK(error.code() == EISDIR);
  }
}

TEST_CASE("a named pipe is refused without waiting for a writer") {
  const TempFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_AS(File::open(folder / "pipe"), FormatError);
  CHECK_THROWS_AS(File::open("/dev/null"), FormatError);
}

TEST_CASE(
    "a read beyond the end is a FormatError that names both numbers, and the file stays usable") {
  const TempFolder folder;
  const auto bytes = random_bytes(5000, 1);
  put(folder / "x", bytes);
  for (const FileMode mode : {FileMode::buffered, FileMode::direct}) {
    const File file = File::open(folder / "x", mode);
    std::vector<std::byte> into(100);
    CHECK_THROWS_WITH(file.read(4901, into),
                      ContainsSubstring("100 bytes at 4901") && ContainsSubstring("5000"));
    CHECK_THROWS_AS(file.read(~std::uint64_t{0}, into), FormatError);
    CHECK_THROWS_AS(file.read(~std::uint64_t{0} - 50, into), FormatError);
    file.read(4900, into);
    CHECK(std::equal(into.begin(), into.end(), bytes.begin() + 4900));
  }
}

TEST_CASE("a file that shrinks after it was opened is a FormatError at every new length") {
  const TempFolder folder;
  const auto bytes = random_bytes(9000, 1);
  for (const FileMode mode : {FileMode::buffered, FileMode::direct}) {
    put(folder / "x", bytes);
    const File file = File::open(folder / "x", mode);
    for (const std::size_t length : {8999u, 8704u, 8192u, 8191u, 4096u, 4095u, 512u, 1u, 0u}) {
      std::filesystem::resize_file(folder / "x", length);
      AlignedBuffer into(9000);
      CHECK_THROWS_AS(file.read(0, into.bytes()), FormatError);
      CHECK_THROWS_AS(file.read(1, into.bytes().first(8999)), FormatError);
      CHECK_THROWS_AS(file.read(8999, into.bytes().first(1)), FormatError);
      const auto still = into.bytes().first(length);
      file.read(0, still);
      CHECK(std::equal(still.begin(), still.end(), bytes.begin()));
    }
  }
}

TEST_CASE("short and interrupted reads are finished") {
  if (!kCanReplacePread) return;
  const TempFolder folder;
  const auto bytes = random_bytes(100'000, 1);
  put(folder / "x", bytes);
  for (const FileMode mode : {FileMode::buffered, FileMode::direct}) {
    const File file = File::open(folder / "x", mode);
    g_calls = 0;
    const ReplacedPread stingy([](int fd, void* into, std::size_t n, off_t offset) -> ssize_t {
      const int call = g_calls++;
      if (call % 3 == 0) return errno = EINTR, -1;
      const ssize_t got = real_pread(fd, into, n, offset);
      // Not a multiple of any alignment, but far enough to get on.
      return got > 6000 ? 4096 + call % 1500 : got;
    });
    check_all_reads(file, bytes, 100);
    CHECK(g_calls > 100);
  }
}

TEST_CASE("a read that does not get on is a FormatError and not an endless loop") {
  if (!kCanReplacePread) return;
  const TempFolder folder;
  put(folder / "x", random_bytes(100'000, 1));
  const File file = File::open(folder / "x", FileMode::direct);
  std::vector<std::byte> into(50'000);
  const ReplacedPread nothing([](int, void*, std::size_t, off_t) -> ssize_t { return 0; });
  CHECK_THROWS_AS(file.read(0, into), FormatError);
}

TEST_CASE("an error of the device is an IoError with its code, and the next read works") {
  if (!kCanReplacePread) return;
  const TempFolder folder;
  const auto bytes = random_bytes(50'000, 1);
  put(folder / "x", bytes);
  for (const FileMode mode : {FileMode::buffered, FileMode::direct}) {
    const File file = File::open(folder / "x", mode);
    for (int failing = 0; failing < 3; ++failing) {
      g_calls = -failing;
      const ReplacedPread broken([](int fd, void* into, std::size_t n, off_t offset) -> ssize_t {
        if (g_calls++ == 0) return errno = EIO, -1;
        return real_pread(fd, into, std::min<std::size_t>(n, 8192), offset);
      });
      std::vector<std::byte> into(40'000);
      try {
        file.read(3, into);
        FAIL("read");
      } catch (const IoError& error) {
        CHECK(error.code() == EIO);
        CHECK(error.path() == (folder / "x").string());
      }
    }
    check_all_reads(file, bytes, 20);
  }
}

TEST_CASE("many threads read one file at once") {
  const TempFolder folder;
  const auto bytes = random_bytes(300'000, 1);
  put(folder / "x", bytes);
  const File file = File::open(folder / "x", FileMode::direct);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] {
      Random random(seed);
      std::vector<std::byte> into(3000);
      for (int i = 0; i < 50; ++i) {
        const std::size_t offset = random.next() % (bytes.size() - into.size());
        file.read(offset, into);
        if (!std::equal(into.begin(), into.end(),
                        bytes.begin() + static_cast<std::ptrdiff_t>(offset)))
          ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("a moved file keeps what it was") {
  const TempFolder folder;
  const auto bytes = random_bytes(3000, 1);
  put(folder / "x", bytes);
  File first = File::open(folder / "x", FileMode::direct);
  const std::size_t alignment = first.alignment();
  File second = std::move(first);
  File third = File::open(folder / "x");
  third = std::move(second);
  CHECK(third.alignment() == alignment);
  CHECK(third.path() == folder / "x");
  check_all_reads(third, bytes, 20);
}

TEST_CASE("text is read whole, and refused beyond its limit") {
  const TempFolder folder;
  put(folder / "x", std::string("a\0b\n", 4));
  CHECK(read_text(folder / "x") == std::string("a\0b\n", 4));
  CHECK(read_text(folder / "x", 4).size() == 4);
  CHECK_THROWS_AS(read_text(folder / "x", 3), FormatError);
  CHECK_THROWS_AS(read_text(folder / "y"), IoError);
}
