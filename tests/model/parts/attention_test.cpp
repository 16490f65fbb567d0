// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/parts/attention.hpp"

#include <cstring>
#include <vector>

#include "flashlm/base/random.hpp"
#include "support/catch.hpp"
#include "support/open_weights.hpp"

using namespace flashlm;
using namespace flashlm::model;

namespace {

struct Fixture : support::OpenWeights {
  /// Every n-th piece is pinned.
  explicit Fixture(const support::TinyShape& shape = {}, std::size_t n = 1)
      : OpenWeights(shape, 500, [n](std::size_t piece) { return piece % n == 0; }) {}

  const ModelSpec& spec = model->spec();

  std::vector<float> input(std::size_t n_tokens) const {
    Random random(5);
    std::vector<float> x(n_tokens * spec.dim);
    for (float& value : x) value = random.uniform(-1.0f, 1.0f);
    return x;
  }

  /// The attention outputs of n_tokens, cut into batches of `batch`.
  std::vector<float> run(const std::vector<float>& x, std::size_t batch, int n_threads,
                         DType kv_dtype) {
    Parallel threads(n_threads);
    Product product(threads, stream, batch, model->tile_cols());
    Attention attention(spec, threads, product, batch, 64);
    KvCache kv(spec, 64, kv_dtype);
    std::vector<float> y(x.size());
    const std::size_t n_tokens = x.size() / spec.dim;
    for (std::size_t first = 0; first < n_tokens; first += batch) {
      const std::size_t n = std::min(batch, n_tokens - first);
      begin_at(model->weights().layer(1).parts[0].attention.query.segment);
      attention.forward(1, spec.attention(), model->weights().layer(1).parts[0].attention, kv,
                        first, std::span(x).subspan(first * spec.dim, n * spec.dim), n,
                        std::span(y).subspan(first * spec.dim, n * spec.dim));
    }
    return y;
  }
};

}  // namespace

TEST_CASE("attention has the same bits however tokens are batched and threads are many") {
  Fixture fixture(GENERATE(support::TinyShape(), support::TinyShape::opt()));
  const DType kv_dtype = GENERATE(DType::f32, DType::f16);
  const std::vector<float> x = fixture.input(41);
  const std::vector<float> expected = fixture.run(x, 1, 1, kv_dtype);
  for (const std::size_t batch : {2, 7, 16, 41}) {
    for (const int n_threads : {1, 2, 3}) {
      const std::vector<float> got = fixture.run(x, batch, n_threads, kv_dtype);
      CHECK(std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)) == 0);
    }
  }
}

TEST_CASE("no token sees what comes after it") {
  Fixture fixture;
  std::vector<float> x = fixture.input(20);
  const std::vector<float> before = fixture.run(x, 20, 2, DType::f32);
  for (std::size_t at = 12 * fixture.spec.dim; at < x.size(); ++at) x[at] = -x[at];
  const std::vector<float> after = fixture.run(x, 20, 2, DType::f32);
  const std::size_t unchanged = 12 * fixture.spec.dim;
  CHECK(std::memcmp(before.data(), after.data(), unchanged * sizeof(float)) == 0);
  CHECK(std::memcmp(before.data() + unchanged, after.data() + unchanged, 8 * sizeof(float)) != 0);
}

TEST_CASE("attention has the same bits wherever its weights are") {
  const support::TinyShape shape = support::TinyShape::of(GENERATE(DType::f32, DType::q4_0));
  Fixture resident(shape);
  const std::vector<float> x = resident.input(12);
  const std::vector<float> expected = resident.run(x, 5, 1, DType::f32);
  for (const std::size_t n : {2, 3, 1000}) {
    Fixture fixture(shape, n);
    CHECK(fixture.run(x, 5, 2, DType::f32) == expected);
  }
}
