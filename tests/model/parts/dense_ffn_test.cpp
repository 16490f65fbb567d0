// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/parts/dense_ffn.hpp"

#include <cerrno>
#include <string>
#include <vector>

#include "flashlm/base/random.hpp"
#include "flashlm/units/ffn/streamed_ffn.hpp"
#include "support/allocation_counter.hpp"
#include "support/catch.hpp"
#include "support/open_weights.hpp"
#include "support/same_bits.hpp"

using namespace flashlm;
using model::DenseFfn;

namespace {

constexpr std::size_t kTokens = 5;

std::vector<float> random_input(const support::TinyShape& shape) {
  Random random(7);
  std::vector<float> x(kTokens * shape.dim);
  for (float& value : x) value = random.uniform(-1.0f, 1.0f);
  return x;
}

/// The networks of a tiny model, every n-th piece pinned; none for 0.
struct Networks : support::OpenWeights {
  Networks(const support::TinyShape& shape, std::size_t n, int n_threads = 2)
      : OpenWeights(shape, 5000, [n](std::size_t piece) { return n != 0 && piece % n == 0; }),
        threads(n_threads),
        product(threads, stream, kTokens, model->tile_cols()),
        ffn(model->spec(), model->weights(), threads, product, kTokens),
        x(random_input(shape)) {}

  /// The outputs of all layers for the same input, in batches.
  std::vector<float> pass(std::size_t batch = kTokens) {
    const support::TinyShape& shape = tiny.shape;
    std::vector<float> y(shape.n_layers * x.size());
    for (std::size_t first = 0; first < kTokens; first += batch) {
      const std::size_t n = std::min(batch, kTokens - first);
      stream.begin(model->n_passed());
      for (std::size_t layer = 0; layer < shape.n_layers; ++layer) {
        run(layer, std::span(x).subspan(first * shape.dim, n * shape.dim), n,
            std::span(y).subspan(layer * x.size() + first * shape.dim, n * shape.dim));
      }
    }
    return y;
  }

  /// One layer of a pass; its attention goes by.
  void run(std::size_t layer, std::span<const float> input, std::size_t n, std::span<float> y) {
    const std::size_t n_segments = tiny.shape.is_opt() ? 6 : 7;
    for (std::size_t at = 0; at < 4; ++at) stream.use(layer * n_segments + at, [](const auto&) {});
    ffn.run(layer, model->weights().layer(layer).parts[1].ffn.parameters, input, n, y, stats);
  }

  Parallel threads;
  model::Product product;
  DenseFfn ffn;
  std::vector<float> x;
  Stats stats;
};

/// The same of bundles.
std::vector<float> of_bundles(support::TinyShape shape) {
  shape.neurons_per_bundle = is_block(shape.dtype) ? 32 : 7;
  support::OpenWeights open(shape);
  units::StreamedFfn ffn(open.model->bundles(), open.stream, open.model->neuron_segments(),
                         open.parallel, kTokens);
  const std::vector<float> x = random_input(shape);
  std::vector<float> y(shape.n_layers * x.size());
  Stats stats;
  open.stream.begin(open.model->n_passed());
  for (std::size_t layer = 0; layer < shape.n_layers; ++layer) {
    for (std::size_t at = 0; at < 4; ++at) open.stream.use(5 * layer + at, [](const auto&) {});
    ffn.run(layer, open.model->weights().layer(layer).parts[1].ffn.parameters, x, kTokens,
            std::span(y).subspan(layer * x.size(), x.size()), stats);
  }
  return y;
}

}  // namespace

TEST_CASE("matrices give the bits of bundles, wherever they are and however tokens are cut") {
  const DType dtype = GENERATE(DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0);
  const std::string kind = GENERATE("silu", "relu", "relu2", "fatrelu", "opt");
  support::TinyShape shape = kind == "opt" ? support::TinyShape::opt() : support::TinyShape();
  if (kind != "opt") shape.activation = kind;
  if (kind == "fatrelu") shape.threshold = 0.25f;
  shape.neurons_per_bundle = 0;
  shape = support::TinyShape::of(dtype, shape);
  const std::vector<float> expected = of_bundles(shape);
  for (const std::size_t n : {0, 1, 3}) {
    for (const int n_threads : {1, 3}) {
      Networks networks(shape, n, n_threads);
      for (const std::size_t batch : {std::size_t{1}, std::size_t{2}, kTokens})
        REQUIRE(support::same_bits(networks.pass(batch), expected));
    }
  }
}

TEST_CASE("neurons count as hits by the share of their bytes that is pinned, for every token") {
  Networks all({}, 1), none({}, 0), some({}, 2);
  for (Networks* networks : {&all, &none, &some}) networks->pass();
  CHECK(all.stats.hits == 3 * 150 * kTokens);
  CHECK(all.stats.misses == 0);
  CHECK(none.stats.hits == 0);
  CHECK(some.stats.hits > 0);
  CHECK(some.stats.misses > 0);
  CHECK(some.stats.hits + some.stats.misses == 3 * 150 * kTokens);
}

TEST_CASE("a pass after a failed one begins at the first layer, with matrices") {
  Networks networks({}, 3);
  const std::vector<float> expected = networks.pass();
  networks.reader.fail_at(4, EIO);
  const auto passes = [&] {
    for (int pass = 0; pass < 3; ++pass) networks.pass();
  };
  CHECK_THROWS_AS(passes(), IoError);
  networks.stream.restart();
  CHECK(networks.pass() == expected);
}

TEST_CASE("an observer sees the activation of every neuron of a dense network") {
  Networks networks({}, 2);
  const std::vector<float> expected = networks.pass();
  std::vector<std::size_t> layers;
  networks.ffn.observe([&](std::size_t layer, std::size_t n_tokens, std::span<const float> x,
                           std::span<const float> h) {
    layers.push_back(layer);
    CHECK(n_tokens == kTokens);
    CHECK(std::vector<float>(x.begin(), x.end()) == networks.x);
    // Their sum is the output.
    const support::Matrix& down = networks.tiny.weights.at(concat("layers.", layer, ".down"));
    for (std::size_t row = 0; row < down.rows; ++row) {
      double sum = 0;
      for (std::size_t n = 0; n < down.cols; ++n)
        sum += static_cast<double>(h[n]) * static_cast<double>(down.at(row, n));
      const double got = static_cast<double>(expected[layer * networks.x.size() + row]);
      CHECK(std::abs(sum - got) < 1e-4);
    }
  });
  CHECK(networks.pass() == expected);
  CHECK(layers == std::vector<std::size_t>{0, 1, 2});
  networks.ffn.observe({});
  networks.pass();
  CHECK(layers.size() == 3);
}

TEST_CASE("a running dense network allocates nothing, and holds what it says") {
  Networks networks({}, 2);
  std::vector<float> y(networks.x.size());
  networks.stream.begin(networks.model->n_passed());
  const std::size_t before = support::allocation_count();
  for (std::size_t layer = 0; layer < 3; ++layer) networks.run(layer, networks.x, kTokens, y);
  CHECK(support::allocation_count() == before);
  CHECK(DenseFfn::bytes(networks.model->spec(), 8) == 2 * 8 * 150 * sizeof(float));
}
