// SPDX-License-Identifier: Apache-2.0
/// stats_test.cpp: figures that are derived from counts.
#include "flashlm/base/stats.hpp"

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "support/catch.hpp"

using namespace flashlm;

TEST_CASE("nothing done means zero everywhere, not a division by zero") {
  const Stats stats;
  CHECK(stats.seconds_per_token() == 0);
  CHECK(stats.bytes_per_token() == 0);
  CHECK(stats.hit_rate() == 0);
}

TEST_CASE("figures per token count decode only") {
  const Stats stats{.tokens = 4,
                    .prefill_tokens = 100,
                    .prefill_seconds = 9,
                    .decode_seconds = 2,
                    .bytes_read = 1000,
                    .decode_bytes_read = 600,
                    .hits = 31,
                    .misses = 500,
                    .decode_hits = 30,
                    .decode_misses = 10};
  CHECK(stats.seconds_per_token() == 0.5);
  CHECK(stats.bytes_per_token() == 150);
  CHECK(stats.hit_rate() == 0.75);
}

TEST_CASE("overlap is the share of the shorter of computing and reading that the other hides") {
  CHECK(Stats{}.overlap() == 0);
  CHECK(Stats{.io_seconds = 3, .compute_seconds = 1, .read_seconds = 4}.overlap() ==
        1);  // reading all the time
  CHECK(Stats{.io_seconds = 0, .compute_seconds = 5, .read_seconds = 4}.overlap() ==
        1);  // never waiting
  CHECK(Stats{.io_seconds = 4, .compute_seconds = 2, .read_seconds = 4}.overlap() ==
        0);  // by turns
  CHECK(Stats{.io_seconds = 3, .compute_seconds = 2, .read_seconds = 4}.overlap() == 0.5);
  CHECK(Stats{.io_seconds = 5, .compute_seconds = 2, .read_seconds = 4}.overlap() == 0);
}

TEST_CASE("what a step of decode added is counted apart") {
  Stats stats{.bytes_read = 100, .decode_bytes_read = 10, .hits = 5, .misses = 7};
  const Stats before = stats;
  stats.bytes_read += 3;
  stats.hits += 2;
  stats.misses += 6;
  stats.count_decode(before);
  CHECK(stats.decode_bytes_read == 13);
  CHECK(stats.decode_hits == 2);
  CHECK(stats.decode_misses == 6);
}

TEST_CASE("the clock never goes back") {
  const double before = now_seconds();
  CHECK(now_seconds() >= before);
}

TEST_CASE("the peak counts memory that was touched") {
  constexpr std::uint64_t kBytes = 32 << 20;
  {
    // The peak may lie far above what is resident now, so the buffer grows until it shows.
    const std::uint64_t before = peak_resident_bytes();
    CHECK(before > 0);
    const AlignedBuffer buffer(before + kBytes);
    CHECK(peak_resident_bytes() >= before + kBytes);
  }
}
