// SPDX-License-Identifier: Apache-2.0
#include "flashlm/stream/weight_stream.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "support/allocation_counter.hpp"
#include "support/catch.hpp"
#include "support/open_weights.hpp"

using namespace flashlm;
using namespace flashlm::stream;

namespace {

/// Uses `n_segments` in order and checks that every unit comes once, ascending, with the bytes of
/// its file.
void check_pass(support::OpenWeights& weights, std::size_t n_segments) {
  weights.stream.begin(n_segments);
  for (std::size_t segment = 0; segment < n_segments; ++segment) {
    std::size_t next = 0;
    const std::size_t unit_bytes = weights.layout->segments()[segment].unit_bytes;
    weights.stream.use(segment, [&](const WeightStream::Units& units) {
      REQUIRE(units.first == next);
      REQUIRE(units.n > 0);
      for (std::size_t at = 0; at < units.n; ++at) {
        const std::vector<std::byte> expected = weights.unit(segment, next + at);
        REQUIRE(std::memcmp(units.data + at * unit_bytes, expected.data(), unit_bytes) == 0);
      }
      next += units.n;
    });
    REQUIRE(next == weights.layout->segments()[segment].n_units);
  }
}

support::OpenWeights::Pinned every(std::size_t n) {
  return [n](std::size_t piece) { return n != 0 && piece % n == 0; };
}

}  // namespace

TEST_CASE("a stream hands out every unit, pinned or not, pass after pass") {
  support::TinyShape shape;
  shape.tied = GENERATE(true, false);
  const std::size_t piece_bytes = GENERATE(1, 3000, 20000, 1u << 20);
  const std::size_t n_pinned = GENERATE(0, 1, 2, 5);
  const std::size_t n_slots = GENERATE(2, 3, 40);
  const std::size_t alignment = GENERATE(1, 512);
  support::OpenWeights weights(shape, piece_bytes, every(n_pinned), n_slots, alignment);
  for (int pass = 0; pass < 3; ++pass) check_pass(weights, weights.layout->n_passed());
}

TEST_CASE("a pass may end before the head, and the next one may not") {
  support::OpenWeights weights({}, 3000, every(GENERATE(0, 3)), GENERATE(2, 4, 60));
  const std::size_t all = weights.layout->n_passed();
  for (const std::size_t n : {all, all - 1, all - 1, all, all - 1, all}) check_pass(weights, n);
}

TEST_CASE("the head is not read for passes that do not need it") {
  support::OpenWeights weights({}, 3000, every(0), 2);
  const std::size_t all = weights.layout->n_passed();
  check_pass(weights, all - 1);
  const std::uint64_t before = weights.reader.stats().bytes_read - weights.stream.bytes_ahead();
  check_pass(weights, all - 1);
  const std::uint64_t pass =
      weights.reader.stats().bytes_read - weights.stream.bytes_ahead() - before;
  CHECK(pass == weights.stream.bytes_per_pass() - weights.layout->segments()[all - 1].bytes());
}

TEST_CASE("bytes read are the passes' bytes and those read ahead, exactly") {
  const std::size_t alignment = GENERATE(1, 512);
  support::OpenWeights weights({}, 3000, every(3), 3, alignment);
  const std::uint64_t loaded = weights.reader.stats().bytes_read;
  for (std::size_t pass = 1; pass <= 4; ++pass) {
    check_pass(weights, weights.layout->n_passed());
    CHECK(weights.reader.stats().bytes_read - loaded ==
          pass * weights.stream.bytes_per_pass() + weights.stream.bytes_ahead());
    CHECK(weights.stream.bytes_ahead() > 0);
  }
  CHECK((weights.stream.gap_bytes() > 0) == (alignment > 1));
  CHECK(weights.reader.stats().gap_bytes == 0);
}

TEST_CASE("pinned neighbours are handed out as one matrix") {
  support::OpenWeights weights({}, 1, every(1), 0);
  weights.stream.begin(weights.layout->n_passed());
  for (std::size_t segment = 0; segment < weights.layout->n_passed(); ++segment) {
    int calls = 0;
    weights.stream.use(segment, [&](const WeightStream::Units&) { ++calls; });
    CHECK(calls == 1);
  }
  CHECK(weights.stream.bytes_per_pass() == 0);
}

TEST_CASE("a unit is found by number where it is pinned") {
  support::TinyShape shape;
  shape.tied = false;
  support::OpenWeights weights(shape, 3000, every(2));
  const std::size_t embedding = weights.layout->n_passed();
  std::size_t found = 0;
  for (std::size_t row = 0; row < support::TinyShape::kVocabSize; ++row) {
    const std::byte* data = weights.stream.find(embedding, row);
    if (data == nullptr) continue;
    ++found;
    const std::vector<std::byte> expected = weights.unit(embedding, row);
    REQUIRE(std::memcmp(data, expected.data(), expected.size()) == 0);
  }
  CHECK(found > 0);
  CHECK(found < support::TinyShape::kVocabSize);
}

TEST_CASE("what is given back is streamed from then on") {
  support::OpenWeights weights({}, 3000, every(1), 0);
  check_pass(weights, weights.layout->n_passed());
  for (const std::size_t n : {2u, 4u, 8u, 0u}) {
    weights.stream.shrink(weights.choose(every(n)), {2, weights.layout->slot_bytes()});
    for (int pass = 0; pass < 2; ++pass) check_pass(weights, weights.layout->n_passed());
  }
}

TEST_CASE("a ring of one slot, or of slots below a piece, is a ShapeError") {
  CHECK_THROWS_AS(support::OpenWeights({}, 3000, every(0), 1), ShapeError);
  support::OpenWeights weights({}, 3000, every(1));
  CHECK_THROWS_AS(weights.stream.shrink(weights.choose(every(0)), {4, 100}), ShapeError);
}

TEST_CASE("after a read has failed anywhere, restart begins a clean pass") {
  support::OpenWeights weights({}, 20000, every(3), 3);
  check_pass(weights, weights.layout->n_passed());
  weights.reader.fail_at(GENERATE(0, 1, 4, 9), EIO);
  const auto two_passes = [&] {
    for (int pass = 0; pass < 2; ++pass) check_pass(weights, weights.layout->n_passed());
  };
  CHECK_THROWS_AS(two_passes(), IoError);
  weights.stream.restart();
  check_pass(weights, weights.layout->n_passed());
}

TEST_CASE("a wait that is interrupted leaves reads under way, for which the next pass waits") {
  support::OpenWeights weights({}, 3000, every(GENERATE(0, 3)), 3);
  struct Stop {};
  int calls = 0;
  weights.reader.watch({[&] {
                          if (++calls % 2 == 0) throw Stop();
                        },
                        {}});
  const auto pass = [&] { check_pass(weights, weights.layout->n_passed()); };
  weights.reader.stall(2);
  CHECK_THROWS_AS(pass(), Stop);
  weights.stream.restart();
  CHECK(weights.reader.n_open() > 0);
  weights.reader.stall(2);
  CHECK_THROWS_AS(pass(), Stop);  // while it waits for what is under way
  weights.stream.restart();
  weights.reader.stall(0);
  pass();
  pass();
}

TEST_CASE("loading counts every byte, can be stopped, and passes errors on") {
  support::OpenWeights weights({}, 3000, every(2));
  std::size_t last = 0, all = 0;
  weights.stream.load([&](std::size_t done, std::size_t total) {
    last = done;
    all = total;
  });
  CHECK(last == all);
  CHECK(all > 0);
  struct Stop {};
  CHECK_THROWS_AS(weights.stream.load([](std::size_t, std::size_t) { throw Stop(); }), Stop);
  weights.reader.fail_at(1, EIO);
  CHECK_THROWS_AS(weights.stream.load(), IoError);
}

TEST_CASE("a running stream allocates nothing") {
  support::OpenWeights weights({}, 3000, every(2), 4);
  const std::size_t n = weights.layout->n_passed();
  const std::size_t before = support::allocation_count();
  for (int pass = 0; pass < 2; ++pass) {
    weights.stream.begin(n);
    for (std::size_t segment = 0; segment < n; ++segment)
      weights.stream.use(segment, [](const auto&) {});
  }
  CHECK(support::allocation_count() == before);
}

TEST_CASE("a segment out of the order of a pass is refused, and the next pass begins anew") {
  support::OpenWeights weights({}, 4096, [](std::size_t) { return false; });
  const auto use = [&](std::size_t segment) { weights.stream.use(segment, [](const auto&) {}); };
  weights.stream.begin(weights.model->n_passed());
  use(0);
  CHECK_THROWS_WITH(use(2), Catch::Matchers::Contains("[weight_stream] segment: expected 1") &&
                                Catch::Matchers::Contains("got 2"));
  CHECK_THROWS_AS(use(0), Error);
  use(1);
  weights.stream.restart();
  weights.stream.begin(weights.model->n_passed());
  use(0);
}
