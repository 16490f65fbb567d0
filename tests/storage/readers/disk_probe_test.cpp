// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/readers/disk_probe.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/readers.hpp"
#include "support/replaced_pread.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using namespace support;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr std::size_t KiB = 1024;

DiskProbeOptions small() {
  DiskProbeOptions options;
  options.seconds = 0.2;
  options.chunk_bytes = {4 * KiB, 64 * KiB};
  options.depths = {1, 8};
  options.scratch_bytes = 2048 * KiB;
  options.page_cache = true;  // where the test runs there may be no direct I/O
  return options;
}

/// Goes on with each look at it, so that how long a probe takes depends on no machine.
class Clock {
 public:
  /// It jumps by `stall` seconds at the n-th look.
  explicit Clock(int n = 0, double stall = 0) : stall_at_(n), stall_(stall) {}
  double operator()() { return now_ += 0.5e-3 + (++looks_ == stall_at_ ? stall_ : 0); }

 private:
  double now_ = 100;
  int looks_ = 0;
  int stall_at_;
  double stall_;
};

}  // namespace

TEST_CASE("a probe measures every point in the time that it was given and leaves nothing behind") {
  const TempFolder folder;
  double last = 0;
  DiskProbeOptions options = small();
  options.clock = Clock();
  options.on_progress = [&](double share) {
    CHECK(share >= last);
    CHECK(share <= 1);
    last = share;
  };
  const DiskProbe result = probe(folder.path(), options);
  CHECK(last == 1);
  CHECK(folder.names().empty());
  CHECK(result.path == folder.path().string());
  CHECK(result.file_bytes == 2048 * KiB);
  CHECK(result.seconds > 0.2);
  CHECK(result.seconds < 0.21);
  REQUIRE(result.date.size() == 20);
  CHECK(result.date[10] == 'T');
  CHECK(result.points.size() == 8);
  for (const ProbePoint& point : result.points) {
    CHECK(point.n_repetitions == 3);
    CHECK(point.bytes_per_second_min > 0);
    CHECK(point.bytes_per_second_min <= point.bytes_per_second_median);
    CHECK(point.bytes_per_second_median <= point.bytes_per_second_max);
  }
  const ProbePoint* first = result.find(4 * KiB, 1, true);
  REQUIRE(first != nullptr);
  CHECK(first->depth == 1);
  CHECK(result.find(4 * KiB, 2, true) == nullptr);
  CHECK_THAT(result.table(), ContainsSubstring("sequential 4.00 KiB x 1"));
  CHECK_THAT(result.table(), ContainsSubstring(result.direct ? "direct reads" : "PAGE CACHE"));
}

TEST_CASE("a probe of a disk that stalls leaves repetitions out, but no point") {
  const TempFolder folder;
  put(folder / "x", random_bytes(1024 * KiB, 1));
  DiskProbeOptions options = small();
  for (const int look : {1, 2, 20, 100, 300}) {
    options.clock = Clock(look, 100);
    const DiskProbe result = probe(folder / "x", options);
    CHECK(result.points.size() == 8);
    int n_repetitions = 0;
    for (const ProbePoint& point : result.points) {
      CHECK(point.n_repetitions >= 1);
      n_repetitions += point.n_repetitions;
    }
    INFO("a stall at look " << look << ", " << n_repetitions << " repetitions");
    CHECK((n_repetitions == 24) == (look == 1));  // before the probe began
    CHECK((n_repetitions == 8) == (look == 2 || look == 20 || look == 100));
    CHECK(result.recommended() != nullptr);
  }
}

TEST_CASE("a probe reads a file that exists by any reader, and leaves it as it was") {
  const TempFolder folder;
  const auto bytes = random_bytes(1024 * KiB, 1);
  put(folder / "x", bytes);
  DiskProbeOptions options = small();
  options.n_repetitions = 1;
  options.chunk_bytes = {64 * KiB};
  std::vector<std::string> names{"auto", "threads"};
  if (uring_allowed()) names.push_back("uring");
  for (const std::string& name : names) {
    options.reader = name;
    const DiskProbe result = probe(folder / "x", options);
    if (name != "auto") CHECK(result.reader == name);
    CHECK(result.file_bytes == bytes.size());
    // 64 KiB x 8 is half of the file.
    CHECK(result.find(64 * KiB, 8, false) != nullptr);
  }
  options.chunk_bytes = {128 * KiB};
  CHECK(probe(folder / "x", options).points.size() == 2);
  CHECK(content(folder / "x") == bytes);
  CHECK(folder.names() == std::vector<std::string>{"x"});
}

TEST_CASE("a probe that is interrupted, fails or finds no room leaves nothing behind") {
  const TempFolder folder;
  DiskProbeOptions options = small();
  for (const int calls : {0, 1, 3}) {
    int left = calls;
    options.on_progress = [&](double) {
      if (left-- == 0) throw std::runtime_error("stop");
    };
    CHECK_THROWS_AS(probe(folder.path(), options), std::runtime_error);
    CHECK(folder.names().empty());
  }
  options.on_progress = nullptr;
  options.reader = "telepathy";
  CHECK_THROWS_AS(probe(folder.path(), options), ArgumentError);
  CHECK(folder.names().empty());
  options = small();
  options.scratch_bytes = std::uint64_t{1} << 62;
  CHECK_THROWS_WITH(probe(folder.path(), options), ContainsSubstring("free space"));
  CHECK_THROWS_AS(probe(folder / "missing", small()), IoError);
  CHECK(folder.names().empty());
}

TEST_CASE("a probe without direct reads is refused, or says that it measured the page cache") {
  if (!kCanReplacePread) return;
  const TempFolder folder;
  // The short reads are those by which a file tries direct mode.
  const ReplacedPread refuse([](int fd, void* into, std::size_t n, off_t offset) -> ssize_t {
    return n <= 4 * KiB ? (errno = EINVAL, -1) : real_pread(fd, into, n, offset);
  });
  DiskProbeOptions options = small();
  options.chunk_bytes = {64 * KiB};
  const DiskProbe result = probe(folder.path(), options);
  CHECK_FALSE(result.direct);
  CHECK(result.reader == "threads");
  CHECK_THAT(result.table(), ContainsSubstring("PAGE CACHE"));
  options.page_cache = false;
  try {
    probe(folder.path(), options);
    FAIL("measured");
  } catch (const IoError& error) {
    CHECK(error.code() == EOPNOTSUPP);
    CHECK_THAT(error.what(), ContainsSubstring("page cache"));
  }
  CHECK(folder.names().empty());
}

TEST_CASE("options of a probe out of range, and a file too small, are ArgumentErrors") {
  const TempFolder folder;
  put(folder / "x", random_bytes(1024 * KiB, 1));
  const auto check_refused = [&](auto change) {
    DiskProbeOptions options = small();
    change(options);
    CHECK_THROWS_AS(probe(folder / "x", options), ArgumentError);
  };
  check_refused([](auto& o) { o.seconds = 0; });
  check_refused([](auto& o) { o.seconds = std::numeric_limits<double>::quiet_NaN(); });
  check_refused([](auto& o) { o.seconds = 4000; });
  check_refused([](auto& o) { o.n_repetitions = 0; });
  check_refused([](auto& o) { o.chunk_bytes = {}; });
  check_refused([](auto& o) { o.chunk_bytes = {0}; });
  check_refused([](auto& o) { o.chunk_bytes = {std::size_t{1} << 40}; });
  check_refused([](auto& o) { o.depths = {}; });
  check_refused([](auto& o) { o.depths = {0}; });
  check_refused([](auto& o) { o.depths = {1025}; });
  check_refused([](auto& o) { o.chunk_bytes = {4096 * KiB}; });
  if (File::open(folder / "x", FileMode::direct).direct()) {
    check_refused([](auto& o) { o.chunk_bytes = {1000}; });
  }
  put(folder / "empty", "");
  CHECK_THROWS_AS(probe(folder / "empty", small()), ArgumentError);
}

TEST_CASE("a quick probe knows the corners of the curve", "[slow]") {
  const TempFolder folder;
  DiskProbeOptions options = DiskProbeOptions::quick();
  CHECK(options.seconds <= 2);
  options.page_cache = true;
  const DiskProbe result = probe(folder.path(), options);
  INFO(result.table());
  CHECK(result.points.size() >=
        10);  // the largest need a scratch file for which there may have been no time
  CHECK(result.recommended() != nullptr);
}

TEST_CASE("the recommended reads are the smallest among the fast ones, at the smallest depth") {
  DiskProbe result;
  CHECK(result.recommended() == nullptr);
  const auto add = [&](std::size_t chunk, std::size_t depth, bool sequential, double rate) {
    result.points.push_back({chunk, depth, sequential, rate, rate, rate, 1});
  };
  add(4 * KiB, 64, true, 5e9);  // says nothing about reads anywhere
  CHECK(result.recommended() == nullptr);
  add(1024 * KiB, 4, false, 1.0e9);
  add(256 * KiB, 64, false, 0.97e9);
  add(256 * KiB, 16, false, 0.92e9);
  add(256 * KiB, 4, false, 0.6e9);
  add(64 * KiB, 64, false, 0.85e9);
  REQUIRE(result.recommended() != nullptr);
  CHECK(result.recommended()->chunk_bytes == 256 * KiB);
  CHECK(result.recommended()->depth == 16);
  CHECK_THAT(result.table(), ContainsSubstring("recommended: reads of 256 KiB, 16 in flight"));
}
