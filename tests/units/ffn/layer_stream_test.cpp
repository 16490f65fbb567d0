// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/ffn/layer_stream.hpp"

#include <cerrno>
#include <cstring>
#include <vector>

#include "support/catch.hpp"
#include "support/ffn_fixture.hpp"

using namespace flashlm;
using namespace flashlm::units;
using support::kTokens;

namespace {

constexpr std::size_t kNeurons = 150;

ActiveSets all_neurons() {
  ActiveSets sets(kTokens, kNeurons);
  for (std::size_t token = 0; token < kTokens; ++token) {
    for (NeuronId id = 0; id < kNeurons; ++id) {
      sets.word(token, id / ActiveSets::kWordNeurons) |= ActiveSets::Word{1}
                                                         << id % ActiveSets::kWordNeurons;
    }
  }
  return sets;
}

}  // namespace

TEST_CASE("a layer that passes through gives dense's bits and shows every neuron once, in order") {
  support::FfnFixture fixture(support::single_neuron_shape(true));
  const std::vector<float> expected = fixture.dense();
  const ActiveSets sets = all_neurons();
  const std::size_t stride = fixture.bundles.layout(0).stride;
  for (const std::size_t staging : {std::size_t{0}, std::size_t{20000}, std::size_t{1} << 20}) {
    LayerStream stream(fixture.bundles, fixture.reader, fixture.parallel, sets, kTokens, staging);
    for (std::size_t layer = 0; layer < 3; ++layer) {
      std::vector<float> y(fixture.x.size());
      std::size_t next = 0;
      stream.run(layer, fixture.parameters, fixture.x, kTokens, y, fixture.stats,
                 [&](const std::byte* data, std::size_t first, std::size_t n) {
                   REQUIRE(first == next);
                   REQUIRE(std::memcmp(data, fixture.bundle(layer, first).data(), stride) == 0);
                   next += n;
                 });
      CHECK(next == kNeurons);
      for (float& value : y) value += 0.0f;
      CHECK(std::memcmp(y.data(), expected.data() + layer * y.size(), y.size() * sizeof(float)) ==
            0);
    }
    CHECK(fixture.stats.selected == 3 * kTokens * kNeurons);
    fixture.stats = {};
  }
}

TEST_CASE("what a failed read leaves under way is waited for, and the next stream works") {
  support::FfnFixture fixture(support::single_neuron_shape(false));
  const ActiveSets sets = all_neurons();
  LayerStream stream(fixture.bundles, fixture.reader, fixture.parallel, sets, kTokens, 20000);
  std::vector<float> y(fixture.x.size());
  const auto run = [&] {
    stream.run(1, fixture.parameters, fixture.x, kTokens, y, fixture.stats, [](auto...) {});
  };
  fixture.reader.fail_at(1, EIO);
  CHECK_THROWS_AS(run(), IoError);
  stream.settle();
  CHECK(fixture.reader.n_open() == 0);
  CHECK_NOTHROW(run());
}

TEST_CASE("a layer is streamed where its tokens would read half of it or more") {
  support::FfnFixture fixture(support::single_neuron_shape(false));
  const ActiveSets none(kTokens, kNeurons), all = all_neurons();
  LayerStream few(fixture.bundles, fixture.reader, fixture.parallel, none, kTokens, 0);
  LayerStream many(fixture.bundles, fixture.reader, fixture.parallel, all, kTokens, 0);
  CHECK_FALSE(few.is_less_work(0, 6));  // nothing is known: the first token tells
  CHECK(many.is_less_work(0, 1));
  few.missed(0, 20);
  CHECK(few.is_less_work(0, 4));
  CHECK_FALSE(few.is_less_work(0, 3));
  CHECK_FALSE(few.is_less_work(1, 6));
}
