// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/readers/uring_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <utility>
#include <vector>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/random.hpp"
#include "support/catch.hpp"
#include "support/forked.hpp"
#include "support/readers.hpp"
#include "support/replaced_pread.hpp"
#include "support/temp_folder.hpp"

#if defined(__linux__)
#include <sys/syscall.h>
#endif

using namespace flashlm;
using namespace flashlm::storage;
using namespace support;

namespace {

using FaultyReader = BasicUringReader<FaultyRing>;

constexpr FileMode kModes[] = {FileMode::buffered, FileMode::direct};

std::vector<File> open_one(const std::filesystem::path& path, FileMode mode = FileMode::direct) {
  std::vector<File> files;
  files.push_back(File::open(path, mode));
  return files;
}

/// While it lives, rings behave as told.
struct Faults {
  explicit Faults(std::function<int(const UringRead&, int)> change,
                  std::function<int()> refuse = nullptr) {
    FaultyRing::change = std::move(change);
    FaultyRing::refuse = std::move(refuse);
  }
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;
  ~Faults() {
    FaultyRing::change = nullptr;
    FaultyRing::refuse = nullptr;
  }
};

/// Batches of random reads, aligned and not, against the bytes of the file.
void check_reads(Reader& reader, const std::vector<std::byte>& bytes, int rounds) {
  Random random(11);
  AlignedBuffer buffer(std::size_t{1} << 20);
  for (int round = 0; round < rounds; ++round) {
    std::vector<Read> reads;
    for (std::size_t at = 0; at < 20; ++at) {
      const std::size_t unit = random.next() % 2 ? 512 : 1;
      const std::size_t offset = random.next() % bytes.size() / unit * unit;
      const std::size_t n =
          std::min<std::size_t>(random.next() % 40'000, bytes.size() - offset) / unit * unit;
      reads.push_back({0, offset, buffer.bytes().subspan(at * 50'000 / unit * unit, n)});
    }
    reader.wait(reader.submit(reads));
    for (const Read& read : reads) {
      INFO("offset " << read.offset << ", " << read.into.size() << " bytes");
      REQUIRE(std::equal(read.into.begin(), read.into.end(),
                         bytes.begin() + static_cast<std::ptrdiff_t>(read.offset)));
    }
  }
}

}  // namespace

TEST_CASE("short, interrupted and refused reads of a ring are finished") {
  if (!uring_allowed()) return;
  const TempFolder folder;
  const auto bytes = random_bytes(300'000, 1);
  put(folder / "x", bytes);
  for (const FileMode mode : kModes) {
    const auto files = open_one(folder / "x", mode);
    FaultyReader reader(files, {.capacity = 16});
    Random random(3);
    const Faults faults([&](const UringRead& read, int code) {
      switch (random.next() % 10) {
        case 0: return -EINTR;
        case 1: return -EAGAIN;
        case 2: return -ECANCELED;
        case 3: return -EFAULT;
        case 4: return -EINVAL;
        case 5: return 0;
        case 6: return static_cast<int>(read.bytes / 512 / 2 * 512);
        case 7: return static_cast<int>(random.next() % (read.bytes + 1));
        default: return code;
      }
    });
    check_reads(reader, bytes, 30);
  }
}

TEST_CASE("a ring that brings nothing but excuses ends in plain reads") {
  if (!uring_allowed()) return;
  const TempFolder folder;
  const auto bytes = random_bytes(300'000, 1);
  put(folder / "x", bytes);
  for (const int code : {-EAGAIN, -EINTR, -EIO, 0}) {
    const auto files = open_one(folder / "x");
    FaultyReader reader(files, {.capacity = 16});
    const Faults faults([&](const UringRead&, int) { return code; });
    check_reads(reader, bytes, 3);
  }
}

TEST_CASE("a ring that refuses to be entered ends in plain reads") {
  if (!uring_allowed()) return;
  const TempFolder folder;
  const auto bytes = random_bytes(300'000, 1);
  put(folder / "x", bytes);
  for (const FileMode mode : kModes) {
    for (const unsigned often : {1u, 2u, 3u}) {
      const auto files = open_one(folder / "x", mode);
      FaultyReader reader(files, {.capacity = 16});
      unsigned call = 0;
      const Faults faults(nullptr, [&] { return ++call % often == 0 ? EBUSY : 0; });
      check_reads(reader, bytes, 10);
      reader.drain();
    }
  }
}

TEST_CASE("a read that the ring and pread fail fails its batch only, and the first error is kept") {
  if (!kCanReplacePread || !uring_allowed()) return;
  const TempFolder folder;
  const auto bytes = random_bytes(100'000, 1);
  put(folder / "x", bytes);
  for (const FileMode mode : kModes) {
    const auto files = open_one(folder / "x", mode);
    FaultyReader reader(files, {.capacity = 8});
    AlignedBuffer buffer(40 * 512);
    const auto batch_of = [&](std::size_t first) {
      std::vector<Read> reads;
      for (std::size_t i = first; i < first + 20; ++i) {
        reads.push_back({0, i * 512, buffer.bytes().subspan(i * 512, 512)});
      }
      return reads;
    };
    {
      const Faults faults([](const UringRead& read, int code) {
        return read.offset == 7 * 512 || read.offset == 11 * 512 ? -EIO : code;
      });
      const ReplacedPread broken([](int fd, void* into, std::size_t n, off_t offset) -> ssize_t {
        if (offset == 11 * 512) return errno = ENODATA, -1;
        if (offset == 7 * 512) return errno = EIO, -1;
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
          CHECK(error.path() == (folder / "x").string());
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

TEST_CASE("a reader is not made where the first read by the ring fails") {
  if (!uring_allowed()) return;
  const TempFolder folder;
  put(folder / "x", random_bytes(1000, 1));
  const auto files = open_one(folder / "x");
  for (const int code : {-EINVAL, -EOPNOTSUPP, -EAGAIN, 0}) {
    const Faults faults([&](const UringRead&, int) { return code; });
    try {
      const FaultyReader reader(files);
      FAIL("made");
    } catch (const IoError& error) {
      CHECK(error.code() == (code < 0 ? -code : EIO));
      CHECK(error.path() == (folder / "x").string());
    }
  }
  const Faults faults(nullptr, [] { return EPERM; });
  CHECK_THROWS_AS(FaultyReader(files), IoError);
}

TEST_CASE("options of a ring out of range are ArgumentErrors") {
  const std::vector<File> files;
  CHECK_THROWS_AS(UringReader(files, {.capacity = 0}), ArgumentError);
  CHECK_THROWS_AS(UringReader(files, {.capacity = 32769}), ArgumentError);
  CHECK_THROWS_AS(UringReader(files, {.tickets = 0}), ArgumentError);
  CHECK_THROWS_AS(UringReader(files, {.tickets = std::size_t{1} << 21}), ArgumentError);
  if (!uring_allowed()) return;
  const UringReader reader(files);
  CHECK(reader.alignment() == 1);
  CHECK(reader.name() == "uring");
}

TEST_CASE("an empty file is no obstacle to a ring") {
  if (!uring_allowed()) return;
  const TempFolder folder;
  put(folder / "x", "");
  const auto files = open_one(folder / "x");
  UringReader reader(files);
  reader.wait(reader.submit(std::vector<Read>(3)));
  std::byte byte;
  const Read beyond[] = {{0, 0, {&byte, 1}}};
  CHECK_THROWS_AS(reader.wait(reader.submit(beyond)), FormatError);
}

#if defined(__linux__)
TEST_CASE("a reader goes on when io_uring is forbidden after its construction") {
  if (!uring_allowed()) return;
  const TempFolder folder;
  const auto bytes = random_bytes(100'000, 1);
  put(folder / "x", bytes);
  const auto files = open_one(folder / "x");
  CHECK(in_child([&] {
          UringReader reader(files);
          forbid(SYS_io_uring_enter, EPERM);
          check_reads(reader, bytes, 3);
          return 0;
        }) == 0);
}
#endif

TEST_CASE(
    "a ring without results tells the hooks, which may end the wait; it can be taken up again") {
  if (!uring_allowed()) return;
  const TempFolder folder;
  put(folder.path() / "file", std::string(10000, 'x'));
  const std::vector<File> files = open_one(folder.path() / "file");
  FaultyReader reader(files);
  struct Stop {};
  int waits = 0;
  std::vector<Stall> stalls;
  reader.watch({[&] {
                  if (++waits == 2) throw Stop();
                },
                [&](const Stall& stall) { stalls.push_back(stall); }, 1e-9});
  std::vector<std::byte> into(512);
  const Read read{0, 512, into};
  FaultyRing::slow = 4;
  const Ticket ticket = reader.submit({&read, 1});
  // The result may be there before anybody waits.
  try {
    reader.wait(ticket);
  } catch (const Stop&) {
    CHECK(waits == 2);
    reader.wait(ticket);
    CHECK(stalls.at(0).offset == 512);
  }
  FaultyRing::slow = 0;
  CHECK(into[511] == std::byte{'x'});
}

TEST_CASE(
    "a wait for room in the ring can be ended by a hook: the batch is told of as interrupted, and "
    "others work") {
  if (!uring_allowed()) return;
  const TempFolder folder;
  const auto bytes = random_bytes(100'000, 1);
  put(folder / "x", bytes);
  const std::vector<File> files = open_one(folder / "x");
  struct Stop {};
  for (const std::size_t capacity : {1u, 2u, 4u}) {
    FaultyReader reader(files, {.capacity = capacity, .tickets = 2});
    int waits = 0;
    reader.watch({[&] {
                    if (++waits == 2) throw Stop();
                  },
                  {},
                  5});
    std::vector<std::vector<std::byte>> into(6, std::vector<std::byte>(1000));
    std::vector<Read> reads;
    for (std::size_t at = 0; at < into.size(); ++at) reads.push_back({0, at * 10'000, into[at]});
    FaultyRing::stalled = true;
    const Ticket ticket = reader.submit(reads);
    CHECK(waits == 2);
    CHECK_THROWS_AS(reader.wait(ticket), Stop);
    FaultyRing::stalled = false;
    try {
      reader.wait(ticket);
      FAIL("the batch is not whole");
    } catch (const IoError& error) {
      CHECK(error.code() == EINTR);
    }
    CHECK(into.back().front() == std::byte{0});
    check_reads(reader, bytes, 1);
  }
}
