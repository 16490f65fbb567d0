// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/layer.hpp"

#include <cmath>
#include <vector>

#include "flashlm/base/random.hpp"
#include "support/catch.hpp"
#include "support/open_weights.hpp"

using namespace flashlm;
using namespace flashlm::model;

namespace {

/// A feed-forward network that doubles its input and remembers it.
struct Doubler {
  void run(std::size_t layer, const sparse::FfnParameters& parameters, std::span<const float> x, std::size_t n_tokens,
           std::span<float> y, Stats& stats) {
    seen_layer = layer;
    seen_bias = parameters.up_bias.data();
    stats.hits += n_tokens;
    input.assign(x.begin(), x.end());
    for (std::size_t at = 0; at < x.size(); ++at) y[at] = 2 * x[at];
  }
  std::size_t seen_layer = 0;
  const float* seen_bias = nullptr;
  std::vector<float> input;
};

}  // namespace

TEST_CASE("normalize brings every row to the root mean square of its weight") {
  ModelConfig config;
  config.dim = 4;
  config.norm_epsilon = 1e-12f;
  const std::vector<float> x{1, 1, 1, 1, 4, 0, 0, 0}, weight{1, 2, 3, 4};
  std::vector<float> out(8);
  normalize(config, x, {weight, {}}, out);
  const std::vector<float> expected{1, 2, 3, 4, 2, 0, 0, 0};
  for (std::size_t at = 0; at < 8; ++at) CHECK(out[at] == Approx(expected[at]));
}

TEST_CASE("normalize takes the mean away and adds the bias where the norm is a layer norm") {
  ModelConfig config;
  config.dim = 2;
  config.norm = NormKind::layer;
  config.norm_epsilon = 1e-12f;
  const std::vector<float> x{5, 7, -1, -5}, weight{1, 2}, bias{10, 20};
  std::vector<float> out(4);
  normalize(config, x, {weight, bias}, out);
  const std::vector<float> expected{9, 22, 11, 18};
  for (std::size_t at = 0; at < 4; ++at) CHECK(out[at] == Approx(expected[at]));
}

TEST_CASE("a layer adds attention and feed-forward network to its input") {
  support::OpenWeights open(GENERATE(support::TinyShape(), support::TinyShape::opt()));
  const ModelConfig& config = open.model->config();
  const Weights& weights = open.model->weights();
  const std::size_t n = 5;
  Random random(3);
  std::vector<float> x(n * config.dim);
  for (float& value : x) value = random.uniform(-1.0f, 1.0f);

  Parallel parallel(1);
  Product product(parallel, open.stream, n, open.model->tile_cols());
  Attention attention(config, parallel, product, n, 16);
  KvCache kv_expected(config, 16, DType::f32), kv(config, 16, DType::f32);
  std::vector<float> normed(x.size()), expected(x.size());
  normalize(config, x, weights.layer(2).attention_norm, normed);
  attention.forward(weights.layer(2), 2, kv_expected, 0, normed, n, expected);
  for (std::size_t at = 0; at < x.size(); ++at) expected[at] += x[at];
  normalize(config, expected, weights.layer(2).ffn_norm, normed);

  Layer layer(config, parallel, product, n, 16);
  Doubler ffn;
  Stats stats;
  layer.run(weights.layer(2), 2, ffn, kv, 0, n, x, stats);
  CHECK(ffn.seen_layer == 2);
  CHECK(ffn.input == normed);
  CHECK(stats.hits == n);
  CHECK(ffn.seen_bias == weights.layer(2).ffn.up_bias.data());
  const std::span<const float> bias = weights.layer(2).down_bias;  // of OPT
  CHECK(bias.empty() != open.tiny.shape.is_opt());
  for (std::size_t at = 0; at < x.size(); ++at) {
    CHECK(x[at] == expected[at] + (2 * normed[at] + (bias.empty() ? 0.0f : bias[at % config.dim])));
  }
}
