// SPDX-License-Identifier: Apache-2.0
#include "flashlm/sparse/streamed_ffn.hpp"

#include <algorithm>
#include <cerrno>
#include <vector>

#include "flashlm/base/random.hpp"
#include "support/allocation_counter.hpp"
#include "support/bundle_fixture.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using namespace flashlm::sparse;

namespace {

constexpr std::size_t kTokens = 3;

struct Fixture : support::BundleFixture {
  Fixture() : x(kTokens * model.shape.dim) {
    Random random(7);
    for (float& value : x) value = random.uniform(-1.0f, 1.0f);
  }

  StreamedFfn open(const std::vector<std::size_t>& pinned, std::size_t n_slots) {
    return StreamedFfn(bundles, reader, parallel, kTokens, pinned, {n_slots, 2 * bundles.layout(0).stride});
  }

  /// The outputs of all layers for the same input.
  std::vector<float> pass(StreamedFfn& ffn) {
    std::vector<float> y(model.shape.n_layers * x.size());
    for (std::size_t layer = 0; layer < model.shape.n_layers; ++layer) {
      ffn.run(layer, {}, x, kTokens, std::span(y).subspan(layer * x.size(), x.size()), stats);
    }
    return y;
  }

  Parallel parallel{2};
  std::vector<float> x;
  Stats stats;
};

}  // namespace

TEST_CASE("a feed-forward network has the same bits wherever its neurons are") {
  Fixture fixture;
  StreamedFfn resident = fixture.open({5, 5, 5}, 0);
  resident.load();
  const std::vector<float> expected = fixture.pass(resident);
  for (const std::vector<std::size_t>& pinned : {std::vector<std::size_t>{0, 0, 0}, {1, 5, 3}, {4, 0, 5}}) {
    StreamedFfn ffn = fixture.open(pinned, 2);
    ffn.load();
    for (int again = 0; again < 3; ++again) CHECK(fixture.pass(ffn) == expected);
  }
}

TEST_CASE("neurons count as hits where they are pinned, for every token") {
  Fixture fixture;
  StreamedFfn ffn = fixture.open({1, 5, 0}, 3);
  ffn.load();
  fixture.pass(ffn);
  CHECK(fixture.stats.hits == (32 + 150) * kTokens);
  CHECK(fixture.stats.misses == (150 - 32 + 150) * kTokens);
}

TEST_CASE("bundles that are given back are streamed, with the same result") {
  Fixture fixture;
  StreamedFfn ffn = fixture.open({5, 5, 5}, 0);
  ffn.load();
  const std::vector<float> expected = fixture.pass(ffn);
  ffn.shrink(std::vector<std::size_t>{2, 0, 3}, {2, fixture.bundles.layout(0).stride});
  CHECK(fixture.pass(ffn) == expected);
  CHECK(fixture.reader.stats().bytes_read > 15 * fixture.bundles.layout(0).stride);
}

TEST_CASE("a pass after a failed one begins at the first layer") {
  Fixture fixture;
  StreamedFfn ffn = fixture.open({0, 1, 2}, 2);
  ffn.load();
  const std::vector<float> expected = fixture.pass(ffn);
  fixture.reader.fail_at(2, EIO);
  CHECK_THROWS_AS(fixture.pass(ffn), IoError);
  ffn.restart();
  CHECK(fixture.pass(ffn) == expected);
}

TEST_CASE("a running network allocates nothing") {
  Fixture fixture;
  StreamedFfn ffn = fixture.open({0, 1, 2}, 2);
  ffn.load();
  std::vector<float> y(fixture.x.size());
  const std::size_t before = support::allocation_count();
  for (std::size_t layer = 0; layer < 3; ++layer) ffn.run(layer, {}, fixture.x, kTokens, y, fixture.stats);
  CHECK(support::allocation_count() == before);
}
