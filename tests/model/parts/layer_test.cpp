// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/parts/layer.hpp"

#include <cmath>
#include <vector>

#include "flashlm/base/random.hpp"
#include "flashlm/model/parts/normalize.hpp"
#include "support/catch.hpp"
#include "support/open_weights.hpp"

using namespace flashlm;
using namespace flashlm::model;

namespace {

/// A feed-forward network that doubles its input and remembers it.
struct Doubler {
  void run(std::size_t layer, const units::FfnParameters& parameters, std::span<const float> x,
           std::size_t n_tokens, std::span<float> y, Stats& stats) {
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

TEST_CASE(
    "a layer adds its parts to its input, group after group, with the norms and factors that they "
    "have") {
  support::TinyShape shape = GENERATE(support::TinyShape(), support::TinyShape::opt());
  shape.parallel = GENERATE(false, true);
  shape.sandwich = GENERATE(false, true);
  if (shape.is_opt() && (shape.parallel || shape.sandwich)) return;
  support::OpenWeights open(shape);
  ModelSpec spec = open.model->spec();
  spec.stacks[0].kinds[0].parts[0].residual_scale = 0.5f;
  const LayerSpec& mine = spec.layer(2);
  const LayerWeights& weights = open.model->weights().layer(2);
  const std::size_t n = 5;
  Random random(3);
  std::vector<float> x(n * spec.dim);
  for (float& value : x) value = random.uniform(-1.0f, 1.0f);

  Parallel parallel(1);
  Product product(parallel, open.stream, n, open.model->tile_cols());
  Attention attention(spec, parallel, product, n, 16);
  KvCache kv_expected(spec, 16, DType::f32), kv(spec, 16, DType::f32);
  std::vector<float> normed(x.size()), attended(x.size()), between = x;
  normalize(*mine.parts[0].before, x, weights.parts[0].before, spec.dim, normed);
  open.begin_at(weights.parts[0].attention.query.segment);
  attention.forward(2, mine.parts[0].attention, weights.parts[0].attention, kv_expected, 0, normed,
                    n, attended);
  if (shape.sandwich)
    normalize(*mine.parts[0].after, attended, weights.parts[0].after, spec.dim, attended);
  for (std::size_t at = 0; at < x.size(); ++at) between[at] += attended[at] * 0.5f;
  if (!shape.parallel)
    normalize(*mine.parts[1].before, between, weights.parts[1].before, spec.dim, normed);

  Layer layer(spec, parallel, product, n, 16);
  Doubler ffn;
  Stats stats;
  std::vector<float> got = x;
  open.begin_at(weights.parts[0].attention.query.segment);
  layer.run(2, mine, weights, ffn, kv, 0, n, got, stats);
  CHECK(ffn.seen_layer == 2);
  CHECK(ffn.input == normed);
  CHECK(stats.hits == n);
  CHECK(ffn.seen_bias == weights.parts[1].ffn.parameters.up_bias.data());
  const std::span<const float> bias = weights.parts[1].ffn.down_bias;  // of OPT
  CHECK(bias.empty() != shape.is_opt());
  std::vector<float> fed(x.size());
  for (std::size_t at = 0; at < x.size(); ++at)
    fed[at] = 2 * normed[at] + (bias.empty() ? 0 : bias[at % spec.dim]);
  if (shape.sandwich) normalize(*mine.parts[1].after, fed, weights.parts[1].after, spec.dim, fed);
  for (std::size_t at = 0; at < x.size(); ++at) {
    // One group: the parts are added to each other first.
    CHECK(got[at] ==
          (shape.parallel ? x[at] + (attended[at] * 0.5f + fed[at]) : between[at] + fed[at]));
  }
}
