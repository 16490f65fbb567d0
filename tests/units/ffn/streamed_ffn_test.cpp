// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/ffn/streamed_ffn.hpp"

#include <algorithm>
#include <cerrno>
#include <vector>

#include "flashlm/base/random.hpp"
#include "support/allocation_counter.hpp"
#include "support/catch.hpp"
#include "support/open_weights.hpp"

using namespace flashlm;
using namespace flashlm::units;

namespace {

constexpr std::size_t kTokens = 3;

/// Pieces hold one or two bundles, of which every n-th is pinned; none for 0.
struct Fixture : support::OpenWeights {
  explicit Fixture(std::size_t n)
      : OpenWeights(support::TinyShape::bundled(), 2 * 9216,
                    [n](std::size_t piece) { return n != 0 && piece % n == 0; }),
        ffn(model->bundles(), stream, {4, 9, 14}, parallel, kTokens),
        x(kTokens * tiny.shape.dim) {
    Random random(7);
    for (float& value : x) value = random.uniform(-1.0f, 1.0f);
  }

  /// The outputs of all layers for the same input.
  std::vector<float> pass() {
    std::vector<float> y(tiny.shape.n_layers * x.size());
    stream.begin(model->n_passed());
    for (std::size_t layer = 0; layer < tiny.shape.n_layers; ++layer) {
      run(layer, std::span(y).subspan(layer * x.size(), x.size()));
    }
    return y;
  }

  /// One layer of a pass; its attention goes by.
  void run(std::size_t layer, std::span<float> y) {
    for (std::size_t segment = 5 * layer; segment < 5 * layer + 4; ++segment)
      stream.use(segment, [](const auto&) {});
    ffn.run(layer, {}, x, kTokens, y, stats);
  }

  StreamedFfn ffn;
  std::vector<float> x;
  Stats stats;
};

}  // namespace

TEST_CASE("a feed-forward network has the same bits wherever its neurons are") {
  Fixture resident(1);
  const std::vector<float> expected = resident.pass();
  for (const std::size_t n : {0u, 2u, 3u, 7u}) {
    Fixture fixture(n);
    for (int again = 0; again < 3; ++again) CHECK(fixture.pass() == expected);
  }
}

TEST_CASE("neurons count as hits where they are pinned, for every token") {
  Fixture fixture(2);
  fixture.pass();
  std::uint64_t pinned = 0;
  for (const stream::PassLayout::Part& part : fixture.layout->parts()) {
    if (part.segment % 5 != 4 || part.segment >= 15 || !fixture.stream.pinned()[part.piece])
      continue;
    pinned += std::min<std::size_t>(150, (part.first + part.n_units) * 32) - part.first * 32;
  }
  CHECK(pinned > 0);
  CHECK(fixture.stats.hits == pinned * kTokens);
  CHECK(fixture.stats.hits + fixture.stats.misses == 3 * 150 * kTokens);
}

TEST_CASE("a pass after a failed one begins at the first layer") {
  Fixture fixture(3);
  const std::vector<float> expected = fixture.pass();
  fixture.reader.fail_at(4, EIO);
  const auto passes = [&] {
    for (int pass = 0; pass < 3; ++pass) fixture.pass();
  };
  CHECK_THROWS_AS(passes(), IoError);
  fixture.stream.restart();
  CHECK(fixture.pass() == expected);
}

TEST_CASE("a running network allocates nothing") {
  Fixture fixture(2);
  std::vector<float> y(fixture.x.size());
  fixture.stream.begin(fixture.model->n_passed());
  const std::size_t before = support::allocation_count();
  for (std::size_t layer = 0; layer < 3; ++layer) fixture.run(layer, y);
  CHECK(support::allocation_count() == before);
}
