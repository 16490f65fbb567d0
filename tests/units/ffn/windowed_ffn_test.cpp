// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/ffn/windowed_ffn.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "support/allocation_counter.hpp"
#include "support/catch.hpp"
#include "support/ffn_fixture.hpp"
#include "support/predictor_file.hpp"

using namespace flashlm;
using namespace flashlm::units;
using support::kTokens;
using support::same_bits;
using support::single_neuron_shape;

namespace {

constexpr float kAll = -std::numeric_limits<float>::infinity();

struct Fixture : support::FfnFixture {
  using FfnFixture::FfnFixture;

  WindowedFfn open(const Selector& chosen, std::size_t n_rows,
                   Eviction eviction = CombinedEviction{}, NeuronReadOptions reads = {}) {
    ChosenFfnOptions options;
    options.max_tokens = kTokens;
    options.n_rows = n_rows;
    options.eviction = eviction;
    options.reads = reads;
    options.staging_bytes = 16384;
    return WindowedFfn(bundles, reader, parallel, chosen, 1u << 20, options);
  }
};

const std::vector<Eviction> kEvictions{NoEviction{},  WindowEviction{},    WindowEviction{2},
                                       LruEviction{}, FrequencyEviction{}, CombinedEviction{}};

}  // namespace

TEST_CASE(
    "the gate selector gives dense's bits, whatever stays in DRAM and however tokens are cut") {
  for (const bool gated : {true, false}) {
    for (const std::string activation : {"relu", "relu2", "fatrelu"}) {
      if (!gated && activation != "relu") continue;
      Fixture fixture(
          single_neuron_shape(gated, activation, activation == "relu2" ? DType::bf16 : DType::f16));
      const std::vector<float> expected = fixture.dense();
      const Selector gate = fixture.selector("gate");
      for (const Eviction& eviction : kEvictions) {
        for (const std::size_t n_rows : {1u, 7u, 60u, 450u}) {
          CAPTURE(gated, activation, name(eviction), n_rows);
          WindowedFfn ffn = fixture.open(gate, n_rows, eviction);
          for (const std::size_t batch : {1u, 4u, 6u, 1u})
            REQUIRE(same_bits(fixture.pass(ffn, batch), expected));
        }
      }
    }
  }
}

TEST_CASE("a predictor that takes every neuron is dense, one that takes none gives zeros") {
  for (const bool gated : {true, false}) {
    for (const std::string activation : {"relu", "silu"}) {
      if (!gated && activation == "silu") continue;
      Fixture fixture(single_neuron_shape(gated, activation, DType::f32));
      const std::vector<float> expected = fixture.dense();
      support::write_predictor(fixture.model.path(), {.threshold = kAll});
      const Selector all = fixture.selector("auto");
      REQUIRE(name(all) == "predictor");
      for (const std::size_t n_rows : {5u, 200u, 450u}) {
        WindowedFfn ffn = fixture.open(all, n_rows);
        for (const std::size_t batch : {1u, 2u, 6u})
          REQUIRE(same_bits(fixture.pass(ffn, batch), expected));
      }
      support::write_predictor(fixture.model.path(), {.threshold = -kAll});
      const Selector none = fixture.selector("predictor");
      WindowedFfn ffn = fixture.open(none, 10);
      const std::uint64_t before = fixture.reader.stats().bytes_read;
      const std::vector<float> zeros = fixture.pass(ffn);
      CHECK(std::all_of(zeros.begin(), zeros.end(), [](float value) { return value == 0; }));
      CHECK(fixture.reader.stats().bytes_read == before);
    }
  }
}

TEST_CASE(
    "a predictor's result does not depend on budget, policy, threads, batches or the way of "
    "reading") {
  for (const bool gated : {true, false}) {
    Fixture fixture(single_neuron_shape(gated));
    support::write_predictor(fixture.model.path(),
                             {.rank = 32, .dtype = DType::q8_0, .first_layer = 1});
    const Selector predictor = fixture.selector("predictor");
    WindowedFfn whole = fixture.open(predictor, 450);
    const std::vector<float> expected = fixture.pass(whole);
    CHECK_FALSE(same_bits(expected, fixture.dense()));
    for (const Eviction& eviction : kEvictions) {
      for (const NeuronReadOptions reads :
           {NeuronReadOptions{}, NeuronReadOptions{.merge_bytes = 0},
            NeuronReadOptions{.bundled = false}}) {
        for (const std::size_t n_rows : {3u, 40u, 300u}) {
          WindowedFfn ffn = fixture.open(predictor, n_rows, eviction, reads);
          for (const std::size_t batch : {1u, 3u, 6u})
            REQUIRE(same_bits(fixture.pass(ffn, batch), expected));
        }
      }
    }
  }
}

TEST_CASE(
    "the bytes read are those of the neurons that were not here, and of the gaps between them") {
  Fixture fixture(single_neuron_shape(true));
  support::write_predictor(fixture.model.path(), {.threshold = 0.5f});
  const Selector predictor = fixture.selector("predictor");
  const std::size_t stride = fixture.bundles.layout(0).stride;
  for (const std::size_t merge : {std::size_t{0}, 2 * stride, 20 * stride}) {
    WindowedFfn ffn = fixture.open(predictor, 120, LruEviction{}, {.merge_bytes = merge});
    fixture.stats = {};
    const storage::ReaderStats before = fixture.reader.stats();
    for (int again = 0; again < 3; ++again) fixture.pass(ffn);
    const storage::ReaderStats after = fixture.reader.stats();
    CHECK(after.bytes_read - before.bytes_read ==
          fixture.stats.misses * stride + fixture.stats.gap_bytes);
    CHECK((fixture.stats.gap_bytes == 0) == (merge == 0));
    CHECK(fixture.stats.hits + fixture.stats.misses == fixture.stats.selected);
    CHECK(after.reads - before.reads <= fixture.stats.misses);
  }
}

TEST_CASE("with room for all, a neuron is read once; without, policies keep what they say") {
  Fixture fixture(single_neuron_shape(false));
  support::write_predictor(fixture.model.path(), {.threshold = 0.5f});
  const Selector predictor = fixture.selector("predictor");
  WindowedFfn roomy = fixture.open(predictor, 1000, LruEviction{});
  fixture.pass(roomy);
  const std::uint64_t read = fixture.reader.stats().bytes_read;
  fixture.pass(roomy);
  CHECK(fixture.reader.stats().bytes_read == read);
  CHECK(fixture.stats.evictions == 0);

  fixture.stats = {};
  WindowedFfn nothing = fixture.open(predictor, 1000, NoEviction{});
  fixture.pass(nothing);
  CHECK(fixture.stats.hits == 0);
  CHECK(fixture.stats.window == 0);

  // Below one token's neurons, a policy that goes by time finds nothing and says so.
  fixture.stats = {};
  WindowedFfn small = fixture.open(predictor, 20, LruEviction{});
  fixture.pass(small);
  fixture.stats = {};
  fixture.pass(small);
  CHECK(fixture.stats.hits == 0);
  CHECK(fixture.stats.window == 0);
  // One that goes by counts does.
  WindowedFfn counting = fixture.open(predictor, 20, FrequencyEviction{});
  fixture.pass(counting);
  fixture.stats = {};
  fixture.pass(counting);
  CHECK(fixture.stats.hits > 0);
}

TEST_CASE("a step allocates nothing") {
  Fixture fixture(single_neuron_shape(true));
  const Selector gate = fixture.selector("gate");
  WindowedFfn ffn = fixture.open(gate, 100);
  fixture.pass(ffn, 4);
  std::vector<float> y(kTokens * 64);
  const std::size_t before = support::allocation_count();
  for (const std::size_t n : {1u, 6u, 1u, 2u}) {
    for (std::size_t layer = 0; layer < 3; ++layer) {
      ffn.run(layer, fixture.parameters, std::span(fixture.x).first(n * 64), n,
              std::span(y).first(n * 64), fixture.stats);
    }
  }
  CHECK(support::allocation_count() == before);
}

TEST_CASE("a read that fails leaves the neurons in DRAM as they were, and the next step works") {
  Fixture fixture(single_neuron_shape(false));
  const Selector gate = fixture.selector("gate");
  const std::vector<float> expected = fixture.dense();
  for (const std::size_t n_rows : {30u, 200u}) {
    WindowedFfn ffn = fixture.open(gate, n_rows);
    const std::size_t dim = fixture.model.shape.dim;
    std::vector<float> y(dim * kTokens);
    for (std::uint64_t failing = 0; failing < 40; failing += 3) {
      for (const std::size_t n : {1u, 6u}) {
        for (std::size_t layer = 0; layer < 3; ++layer) {
          fixture.reader.fail_at(failing, EIO);
          std::vector<bool> here;
          for (NeuronId id = 0; id < 150; ++id)
            here.push_back(ffn.rows().cache().find(layer, id) != NeuronCache::kNoRow);
          const std::size_t n_free = ffn.rows().cache().n_free();
          bool failed = false;
          for (int attempt = 0; attempt < 4; ++attempt) {
            try {
              ffn.run(layer, fixture.parameters, std::span(fixture.x).first(n * dim), n,
                      std::span(y).first(n * dim), fixture.stats);
              break;
            } catch (const IoError& error) {
              failed = true;
              CHECK(error.code() == EIO);
            }
            if (n_rows == 200 && n == 1) {  // one part: nothing at all has changed
              CHECK(ffn.rows().cache().n_free() == n_free);
              for (NeuronId id = 0; id < 150; ++id) {
                REQUIRE(here[id] == (ffn.rows().cache().find(layer, id) != NeuronCache::kNoRow));
              }
            }
          }
          REQUIRE(std::memcmp(y.data(), expected.data() + layer * kTokens * dim,
                              n * dim * sizeof(float)) == 0);
          (void)failed;
        }
      }
    }
  }
}

TEST_CASE("bundles of more than one neuron are a ShapeError") {
  support::TinyShape shape = single_neuron_shape(true);
  shape.neurons_per_bundle = 32;
  Fixture fixture(shape);
  const Selector dense = fixture.selector("dense");
  CHECK_THROWS_AS(fixture.open(dense, 10), ShapeError);
}
