// SPDX-License-Identifier: Apache-2.0
#include "flashlm/sparse/bundle_stream.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "support/allocation_counter.hpp"
#include "support/bundle_fixture.hpp"
#include "support/catch.hpp"

using namespace flashlm::sparse;

namespace {

/// Takes one pass and checks that every streamed bundle comes once, in order, with the bytes of the file.
void check_pass(support::BundleFixture& fixture, BundleStream& stream, const std::vector<std::size_t>& first) {
  CHECK(stream.at_start());
  for (std::size_t layer = 0; layer < fixture.bundles.n_layers(); ++layer) {
    const flashlm::storage::BundleLayout& layout = fixture.bundles.layout(layer);
    for (std::size_t bundle = first[layer]; bundle < layout.n_bundles();) {
      const BundleStream::Piece piece = stream.next();
      REQUIRE(piece.layer == layer);
      REQUIRE(piece.first == bundle);
      REQUIRE(piece.n_bundles > 0);
      for (std::size_t index = 0; index < piece.n_bundles; ++index) {
        const std::vector<std::byte> expected = fixture.bundle(layer, bundle + index);
        REQUIRE(std::memcmp(piece.data + index * layout.stride, expected.data(), expected.size()) == 0);
      }
      bundle += piece.n_bundles;
      stream.release();
    }
  }
  CHECK(stream.at_start());
}

}  // namespace

TEST_CASE("a stream brings every bundle behind the pinned ones, pass after pass") {
  support::BundleFixture fixture;
  const std::size_t stride = fixture.bundles.layout(0).stride;
  const std::vector<std::size_t> first =
      GENERATE(std::vector<std::size_t>{0, 0, 0}, std::vector<std::size_t>{2, 5, 4}, std::vector<std::size_t>{5, 4, 5});
  const std::size_t n_slots = GENERATE(2, 3, 8, 40);
  const std::size_t bundles_a_slot = GENERATE(1, 2, 7);
  BundleStream stream(fixture.bundles, fixture.reader, first, {n_slots, bundles_a_slot * stride});
  for (int pass = 0; pass < 3; ++pass) check_pass(fixture, stream, first);
}

TEST_CASE("bytes read are the passes' bytes and those read ahead, exactly") {
  support::BundleFixture fixture;
  const std::vector<std::size_t> first{1, 5, 2};
  const std::size_t stride = fixture.bundles.layout(0).stride;
  BundleStream stream(fixture.bundles, fixture.reader, first, {3, 2 * stride});
  CHECK(stream.bytes_per_pass() == (4 + 0 + 3) * stride);
  CHECK(fixture.reader.stats().bytes_read == 0);
  for (std::size_t pass = 1; pass <= 4; ++pass) {
    check_pass(fixture, stream, first);
    CHECK(fixture.reader.stats().bytes_read == pass * stream.bytes_per_pass() + stream.bytes_ahead());
    CHECK(stream.bytes_ahead() > 0);
  }
}

TEST_CASE("a model that is pinned whole needs no ring") {
  support::BundleFixture fixture;
  const BundleStream stream(fixture.bundles, fixture.reader, std::vector<std::size_t>{5, 5, 5}, {0, 0});
  CHECK(stream.bytes_per_pass() == 0);
  CHECK(stream.at_start());
}

TEST_CASE("a ring of one slot, or of slots below a bundle, is a ShapeError") {
  support::BundleFixture fixture;
  const std::vector<std::size_t> none{0, 0, 0};
  CHECK_THROWS_AS(BundleStream(fixture.bundles, fixture.reader, none, {1, 1 << 20}), flashlm::ShapeError);
  CHECK_THROWS_AS(BundleStream(fixture.bundles, fixture.reader, none, {4, 100}), flashlm::ShapeError);
}

TEST_CASE("after a read has failed anywhere, restart begins a clean pass") {
  support::BundleFixture fixture;
  const std::vector<std::size_t> first{0, 3, 1};
  BundleStream stream(fixture.bundles, fixture.reader, first, {3, fixture.bundles.layout(0).stride});
  const std::uint64_t failing = GENERATE(0, 1, 4, 10, 13);
  check_pass(fixture, stream, first);
  fixture.reader.fail_at(failing, EIO);
  const auto take_two_passes = [&] {
    for (int at = 0; at < 22; ++at) {
      stream.next();
      stream.release();
    }
  };
  CHECK_THROWS_AS(take_two_passes(), flashlm::IoError);
  stream.restart();
  CHECK(fixture.reader.n_open() == 0);
  check_pass(fixture, stream, first);
}

TEST_CASE("a running stream allocates nothing") {
  support::BundleFixture fixture;
  BundleStream stream(fixture.bundles, fixture.reader, std::vector<std::size_t>{1, 1, 1},
                      {4, fixture.bundles.layout(0).stride});
  const std::size_t before = support::allocation_count();
  for (int at = 0; at < 30; ++at) {
    stream.next();
    stream.release();
  }
  CHECK(support::allocation_count() == before);
}
