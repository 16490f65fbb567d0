// SPDX-License-Identifier: Apache-2.0
#include "flashlm/stream/pass_layout.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "support/catch.hpp"

using namespace flashlm;
using stream::PassLayout;
using stream::Segment;

namespace {

/// Attention of two layers in file 0 with their neurons in files 1 and 2 between them, a head, and
/// an embedding.
std::vector<Segment> segments() {
  return {{0, 4096, 10, 100}, {0, 5096, 5, 60},    {1, 4096, 9, 512},   {0, 5396, 10, 100},
          {2, 4096, 9, 512},  {0, 6396, 300, 100}, {0, 36396, 300, 100}};
}

std::size_t count(const std::vector<bool>& chosen) {
  return static_cast<std::size_t>(std::count(chosen.begin(), chosen.end(), true));
}

}  // namespace

TEST_CASE("every unit is in exactly one part, in order, and pieces hold what their parts say") {
  const std::size_t piece_bytes = GENERATE(1, 600, 1000, 5000, 1u << 20);
  const PassLayout layout(segments(), 6, piece_bytes);
  for (std::size_t segment = 0; segment < layout.segments().size(); ++segment) {
    const Segment& whole = layout.segments()[segment];
    std::size_t next = 0;
    for (std::size_t at = layout.first_part(segment); at < layout.first_part(segment + 1); ++at) {
      const PassLayout::Part& part = layout.parts()[at];
      CHECK(part.segment == segment);
      CHECK(part.first == next);
      REQUIRE(part.n_units > 0);
      next += part.n_units;
      const PassLayout::Piece& piece = layout.pieces()[part.piece];
      CHECK(piece.place.file == whole.file);
      CHECK(piece.place.extent.offset + part.offset ==
            whole.offset + part.first * whole.unit_bytes);
      CHECK(part.offset + part.n_units * whole.unit_bytes <= piece.place.extent.bytes);
      CHECK(&layout.part_of(segment, part.first) == &part);
      CHECK(&layout.part_of(segment, next - 1) == &part);
    }
    CHECK(next == whole.n_units);
  }
  for (const PassLayout::Piece& piece : layout.pieces()) {
    CHECK(piece.place.extent.bytes <= std::max<std::size_t>(piece_bytes, 512));
    CHECK(piece.at % kPageBytes == piece.place.extent.offset % kPageBytes);
    CHECK(piece.at + piece.place.extent.bytes <= layout.arena_bytes());
    CHECK(layout.slot_bytes() >= piece.place.extent.bytes + kPageBytes);
  }
}

TEST_CASE("neighbours in a file share a piece unless a pass needs something between them") {
  const PassLayout layout(segments(), 6, 1u << 20);
  // [q, k of layer 0], [neurons 0], [q of layer 1], [neurons 1], [head], [embedding]
  REQUIRE(layout.pieces().size() == 6);
  CHECK(layout.pieces()[0].n_parts == 2);
  CHECK(layout.n_passed_pieces() == 5);
}

TEST_CASE("neighbours in a file are neighbours in the arena") {
  const PassLayout layout(segments(), 6, 1000);
  for (std::size_t index = 1; index < layout.pieces().size(); ++index) {
    const PassLayout::Piece& before = layout.pieces()[index - 1];
    const PassLayout::Piece& piece = layout.pieces()[index];
    const bool touch = before.place.file == piece.place.file &&
                       before.place.extent.end() == piece.place.extent.offset;
    if (touch && index != layout.n_passed_pieces())
      CHECK(piece.at == before.at + before.place.extent.bytes);
    CHECK(piece.at >= before.at + before.place.extent.bytes);
  }
}

TEST_CASE("pinning spends what it may in whole pages, and everything if everything fits") {
  const PassLayout layout(segments(), 6, 600);
  const PassLayout::Pinned all = layout.pin(layout.all_bytes(), 2);
  CHECK(count(all.pieces) == layout.pieces().size());
  CHECK(all.bytes == layout.all_bytes());
  for (std::uint64_t spare = 0; spare < layout.all_bytes(); spare += 5000) {
    const PassLayout::Pinned some = layout.pin(spare, 2);
    CHECK(some.bytes <= spare);
    CHECK(some.bytes == kPageBytes * count(layout.pages(some.pieces)));
    CHECK(spare - some.bytes < 2 * kPageBytes);  // no piece that could stay is left
  }
}

TEST_CASE("what a pass needs is pinned before rows that are asked for by number") {
  const PassLayout layout(segments(), 6, 600);
  const std::vector<bool> passed = layout.pin(layout.all_bytes() - 6 * kPageBytes, 2).pieces;
  for (std::size_t piece = 0; piece < layout.n_passed_pieces(); ++piece) CHECK(passed[piece]);
  CHECK_FALSE(passed.back());
}

TEST_CASE("pinned pieces are spread evenly over a pass") {
  const PassLayout layout({{0, 0, 1000, kPageBytes}}, 1, kPageBytes);
  for (const std::size_t n_pinned : {100u, 250u, 500u, 618u, 900u}) {
    const std::vector<bool> pinned = layout.pin(n_pinned * kPageBytes, 1).pieces;
    REQUIRE(count(pinned) == n_pinned);
    for (std::size_t begin = 0; begin + 100 <= 1000; begin += 50) {
      const auto from = pinned.begin() + static_cast<std::ptrdiff_t>(begin);
      CHECK(static_cast<double>(std::count(from, from + 100, true)) ==
            Approx(static_cast<double>(n_pinned) / 10).margin(3));
    }
  }
}

TEST_CASE("pinning among some pieces takes no other") {
  const PassLayout layout(segments(), 6, 600);
  const std::vector<bool> before = layout.pin(layout.all_bytes() / 2, 2).pieces;
  const std::vector<bool> after = layout.pin(layout.all_bytes() / 4, 2, &before).pieces;
  CHECK(count(after) > 0);
  for (std::size_t piece = 0; piece < after.size(); ++piece) {
    if (after[piece]) CHECK(before[piece]);
  }
}

TEST_CASE("runs of pages are as long as they can be") {
  std::vector<std::pair<std::size_t, std::size_t>> runs;
  stream::for_page_runs({false, true, true, false, true}, [&](std::size_t at, std::size_t bytes) {
    runs.push_back({at / kPageBytes, bytes / kPageBytes});
  });
  CHECK(runs == std::vector<std::pair<std::size_t, std::size_t>>{{1, 2}, {4, 1}});
}
