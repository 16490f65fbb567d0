// SPDX-License-Identifier: Apache-2.0
#include "flashlm/sparse/neuron_cache.hpp"

#include <cerrno>
#include <cstring>
#include <vector>

#include "support/bundle_fixture.hpp"
#include "support/catch.hpp"

using namespace flashlm::sparse;

TEST_CASE("pinned bundles are those of the file, byte for byte") {
  support::BundleFixture fixture;
  const std::vector<std::size_t> pinned{0, 2, 5};
  NeuronCache cache(fixture.bundles, pinned);
  std::size_t reported = 0;
  cache.load(fixture.reader, [&](std::size_t done, std::size_t total) {
    CHECK(done <= total);
    reported = done;
  });
  CHECK(cache.bytes() == 7 * fixture.bundles.layout(0).stride);
  CHECK(reported == cache.bytes());
  CHECK(fixture.reader.stats().bytes_read == cache.bytes());
  for (std::size_t layer = 0; layer < pinned.size(); ++layer) {
    REQUIRE(cache.n_bundles(layer) == pinned[layer]);
    for (std::size_t index = 0; index < pinned[layer]; ++index) {
      const std::vector<std::byte> expected = fixture.bundle(layer, index);
      CHECK(std::memcmp(cache.bundle(layer, index), expected.data(), expected.size()) == 0);
    }
  }
}

TEST_CASE("more pinned bundles than a layer has are all of them") {
  support::BundleFixture fixture;
  NeuronCache cache(fixture.bundles, std::vector<std::size_t>{99, 99, 99});
  CHECK(cache.n_bundles(0) == fixture.bundles.layout(0).n_bundles());
}

TEST_CASE("admit splits the active neurons into those that are here and those that are not") {
  support::BundleFixture fixture;  // 150 neurons in bundles of 32
  NeuronCache cache(fixture.bundles, std::vector<std::size_t>{2, 0, 5});
  NeuronSet active, hits, misses;
  active.push({0, 10});
  active.push({60, 70});
  active.push({100, 150});
  cache.admit(0, active, hits, misses);
  REQUIRE(hits.ranges().size() == 2);
  CHECK(hits.ranges()[1] == NeuronRange{60, 64});
  REQUIRE(misses.ranges().size() == 2);
  CHECK(misses.ranges()[0] == NeuronRange{64, 70});
  CHECK(hits.size() + misses.size() == active.size());
  cache.admit(1, active, hits, misses);
  CHECK(hits.size() == 0);
  cache.admit(2, active, hits, misses);
  CHECK(misses.size() == 0);
}

TEST_CASE("a cache shrinks, and what stays is still right") {
  support::BundleFixture fixture;
  NeuronCache cache(fixture.bundles, std::vector<std::size_t>{5, 5, 5});
  cache.load(fixture.reader);
  cache.shrink(1, 1);
  cache.shrink(1, 3);  // growing is not possible: nothing happens
  CHECK(cache.n_bundles(1) == 1);
  const std::vector<std::byte> expected = fixture.bundle(1, 0);
  CHECK(std::memcmp(cache.bundle(1, 0), expected.data(), expected.size()) == 0);
  NeuronSet active, hits, misses;
  active.push({0, 150});
  cache.admit(1, active, hits, misses);
  CHECK(hits.size() == 32);
}

TEST_CASE("a read that fails while loading is an IoError") {
  support::BundleFixture fixture;
  NeuronCache cache(fixture.bundles, std::vector<std::size_t>{5, 5, 5});
  fixture.reader.fail_at(1, EIO);
  CHECK_THROWS_AS(cache.load(fixture.reader), flashlm::IoError);
  CHECK_NOTHROW(cache.load(fixture.reader));
}
