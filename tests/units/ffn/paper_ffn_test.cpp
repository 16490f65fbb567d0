// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/ffn/paper_ffn.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
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

struct Fixture : support::FfnFixture {
  using FfnFixture::FfnFixture;

  PaperFfn open(const Selector& chosen, std::size_t n_rows, std::uint32_t n_tokens = 5,
                NeuronReadOptions reads = {}) {
    ChosenFfnOptions options;
    options.max_tokens = kTokens;
    options.n_rows = n_rows;
    options.eviction = PaperEviction{n_tokens};
    options.reads = reads;
    options.staging_bytes = 16384;
    return PaperFfn(bundles, reader, parallel, chosen, 1u << 20, options);
  }
};

/// Whether two results differ by the order of their sums only.
bool close(const std::vector<float>& a, const std::vector<float>& b) {
  float largest = 0;
  for (const float value : b) largest = std::max(largest, std::abs(value));
  for (std::size_t at = 0; at < a.size(); ++at) {
    if (!(std::abs(a[at] - b[at]) <= 1e-5f * largest)) return false;
  }
  return a.size() == b.size();
}

}  // namespace

TEST_CASE(
    "with the gate selector the paper's cache gives dense's result, up to the order of the sum") {
  for (const bool gated : {true, false}) {
    for (const std::string activation : {"relu", "relu2", "fatrelu"}) {
      if (!gated && activation != "relu") continue;
      Fixture fixture(
          single_neuron_shape(gated, activation, activation == "relu2" ? DType::bf16 : DType::f16));
      const std::vector<float> expected = fixture.dense();
      const Selector gate = fixture.selector("gate");
      for (const std::uint32_t n_tokens : {1u, 3u}) {
        for (const std::size_t n_rows : {3u, 20u, 120u, 450u}) {
          CAPTURE(gated, activation, n_tokens, n_rows);
          PaperFfn ffn = fixture.open(gate, n_rows, n_tokens, {.bundled = n_tokens == 1});
          for (const std::size_t batch : {1u, 4u, 6u, 1u})
            REQUIRE(close(fixture.pass(ffn, batch), expected));
          for (std::size_t layer = 0; layer < 3; ++layer)
            CHECK(ffn.rows().packed().used(layer) <= ffn.rows().packed().capacity(layer));
        }
      }
    }
  }
}

TEST_CASE("what a predictor missed is found in the rows of the tokens before") {
  Fixture fixture(single_neuron_shape(false));
  const std::vector<float> expected = fixture.dense();
  support::write_predictor(fixture.model.path(), {.threshold = 0.5f});
  const Selector predictor = fixture.selector("predictor");
  const auto error = [&](const std::vector<float>& y) {
    double sum = 0;
    for (std::size_t at = 0; at < y.size(); ++at) sum += std::pow(y[at] - expected[at], 2);
    return sum;
  };
  PaperFfn one = fixture.open(predictor, 450, 1), many = fixture.open(predictor, 450, 50);
  CHECK(fixture.stats.selected == 0);
  fixture.pass(one);
  fixture.pass(many);
  CHECK(error(fixture.pass(many)) < 0.5 * error(fixture.pass(one)));
}

TEST_CASE("the bytes read are those of the neurons that were not in the window") {
  Fixture fixture(single_neuron_shape(true));
  support::write_predictor(fixture.model.path(), {.threshold = 0.5f});
  const Selector predictor = fixture.selector("predictor");
  const std::size_t stride = fixture.bundles.layout(0).stride;
  for (const std::size_t n_rows : {30u, 450u}) {
    PaperFfn ffn = fixture.open(predictor, n_rows, 3, {.merge_bytes = 0});
    fixture.stats = {};
    const storage::ReaderStats before = fixture.reader.stats();
    for (int again = 0; again < 3; ++again) fixture.pass(ffn);
    CHECK(fixture.reader.stats().bytes_read - before.bytes_read == fixture.stats.misses * stride);
    CHECK(fixture.stats.hits + fixture.stats.misses == fixture.stats.selected);
    if (n_rows == 450) CHECK(fixture.stats.hits > fixture.stats.misses);
    CHECK(fixture.stats.window == (n_rows == 450 ? 3 : 0));
    CHECK(fixture.stats.evictions > 0);
  }
}

TEST_CASE("a step with the paper's cache allocates nothing") {
  Fixture fixture(single_neuron_shape(true));
  const Selector gate = fixture.selector("gate");
  PaperFfn ffn = fixture.open(gate, 100);
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

TEST_CASE("a read that fails leaves the paper's rows as they were, and the next step works") {
  Fixture fixture(single_neuron_shape(false));
  const Selector gate = fixture.selector("gate");
  const std::vector<float> expected = fixture.dense();
  const std::size_t dim = fixture.model.shape.dim;
  for (const std::size_t n_rows : {30u, 450u}) {
    PaperFfn ffn = fixture.open(gate, n_rows, 1, {.merge_bytes = 0});
    std::size_t failures = 0;
    for (std::uint64_t step = 0; step < 40; ++step) {
      const std::size_t token = step % kTokens;
      for (std::size_t layer = 0; layer < 3; ++layer) {
        const auto ids_here = [&] {
          const auto ids = ffn.rows().packed().ids(layer);
          return std::vector<NeuronId>(ids.begin(), ids.end());
        };
        const std::vector<NeuronId> before = ids_here();
        std::vector<float> y(dim);
        fixture.reader.fail_at(step % 5, EIO);
        for (int attempt = 0; attempt < 3; ++attempt) {
          try {
            ffn.run(layer, fixture.parameters, std::span(fixture.x).subspan(token * dim, dim), 1, y,
                    fixture.stats);
            break;
          } catch (const IoError& error) {
            ++failures;
            CHECK(error.code() == EIO);
          }
          if (n_rows == 450) REQUIRE(ids_here() == before);  // one part: nothing at all has changed
        }
        const auto at =
            expected.begin() + static_cast<std::ptrdiff_t>((layer * kTokens + token) * dim);
        REQUIRE(close(y, {at, at + static_cast<std::ptrdiff_t>(dim)}));
      }
    }
    CHECK(failures > 0);
  }
}

TEST_CASE("the same steps give the same bits with any number of threads") {
  Fixture fixture(single_neuron_shape(true));
  const Selector gate = fixture.selector("gate");
  PaperFfn first = fixture.open(gate, 100);
  const std::vector<float> expected = fixture.pass(first);
  Parallel alone(1);
  PaperFfn second(fixture.bundles, fixture.reader, alone, gate, 1u << 20,
                  {.max_tokens = kTokens, .n_rows = 100, .eviction = PaperEviction{}});
  CHECK(same_bits(fixture.pass(second), expected));
}
