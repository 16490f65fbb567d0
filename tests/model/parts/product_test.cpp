// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/parts/product.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

#include "flashlm/base/random.hpp"
#include "support/catch.hpp"
#include "support/open_weights.hpp"
#include "support/reference_model.hpp"

using namespace flashlm;
using model::Product;

namespace {

std::vector<float> random_input(std::size_t n) {
  Random random(5);
  std::vector<float> x(n);
  for (float& value : x) value = random.uniform(-1.0f, 1.0f);
  return x;
}

/// The product of the keys of layer 1 for `n_tokens`, `batch` at a time, where one piece in `n_th`
/// is pinned.
std::vector<float> run(const support::TinyShape& shape, std::size_t n_th, int n_threads,
                       std::size_t n_tokens, std::size_t batch, const std::vector<float>& bias) {
  support::OpenWeights open(shape, 500, [n_th](std::size_t piece) { return piece % n_th == 0; });
  Parallel parallel(n_threads);
  Product product(parallel, open.stream, batch, open.model->tile_cols());
  const model::Matrix& key = open.model->weights().layer(1).parts[0].attention.key;
  const std::vector<float> x = random_input(n_tokens * key.cols);
  std::vector<float> y(n_tokens * key.rows);
  for (std::size_t first = 0; first < n_tokens; first += batch) {
    const std::size_t n = std::min(batch, n_tokens - first);
    open.begin_at(key.segment);
    product.run(key, std::span(x).subspan(first * key.cols, n * key.cols), n,
                std::span(y).subspan(first * key.rows, n * key.rows), bias);
  }
  return y;
}

}  // namespace

TEST_CASE(
    "a product equals plain loops, with the same bits wherever rows are and however tokens are "
    "cut") {
  auto shape = support::TinyShape::of(
      GENERATE(DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0));
  const bool biased = GENERATE(false, true);
  shape.n_kv_heads = 1;
  shape.head_dim = 8;
  const std::size_t n_rows = shape.head_dim, n_tokens = 7;  // a strip that is not full
  const std::vector<float> bias = biased ? random_input(n_rows) : std::vector<float>();
  const std::vector<float> got = run(shape, 1, 1, n_tokens, n_tokens, bias);

  const support::TinyModel tiny(shape);
  const std::vector<float> x = random_input(n_tokens * shape.dim);
  for (std::size_t t = 0; t < n_tokens; ++t) {
    const support::Row row(x.begin() + static_cast<std::ptrdiff_t>(t * shape.dim),
                           x.begin() + static_cast<std::ptrdiff_t>((t + 1) * shape.dim));
    const support::Row expected = support::multiply(shape, tiny.weights, "layers.1.k", row);
    for (std::size_t r = 0; r < n_rows; ++r) {
      const double wanted = expected[r] + (biased ? static_cast<double>(bias[r]) : 0.0);
      REQUIRE(std::abs(static_cast<double>(got[t * n_rows + r]) - wanted) < 1e-4);
    }
  }
  for (const std::size_t n_th : {2, 1000}) {
    for (const int n_threads : {1, 3}) {
      for (const std::size_t batch : {1, 3})
        REQUIRE(run(shape, n_th, n_threads, n_tokens, batch, bias) == got);
    }
  }
}

TEST_CASE("no tiles need no scratch") {
  CHECK(Product::bytes(512, 0) == 0);
  CHECK(Product::bytes(4, 64) == 4 * 2 * sizeof(ActivationBlock));
}
