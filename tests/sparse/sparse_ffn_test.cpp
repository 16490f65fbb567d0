// SPDX-License-Identifier: Apache-2.0
#include "flashlm/sparse/sparse_ffn.hpp"

#include <cmath>
#include <cstring>
#include <vector>

#include "flashlm/base/random.hpp"
#include "support/bundle_fixture.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using sparse::SparseFfn;

namespace {

std::vector<float> random_rows(std::size_t n, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> rows(n);
  for (float& value : rows) value = random.uniform(-1.0f, 1.0f);
  return rows;
}

/// All bundles of layer 0, one after the other.
std::vector<std::byte> all_bundles(support::BundleFixture& fixture) {
  std::vector<std::byte> bytes;
  for (std::size_t index = 0; index < fixture.bundles.layout(0).n_bundles(); ++index) {
    const std::vector<std::byte> bundle = fixture.bundle(0, index);
    bytes.insert(bytes.end(), bundle.begin(), bundle.end());
  }
  return bytes;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace

TEST_CASE("the sum over all neurons is the dense feed-forward network") {
  support::TinyShape shape;
  shape.dtype = GENERATE(DType::f32, DType::f16);
  support::BundleFixture fixture(shape);
  const std::vector<std::byte> bundles = all_bundles(fixture);
  const std::size_t n_tokens = 5;
  const std::vector<float> x = random_rows(n_tokens * shape.dim, 7);
  std::vector<float> y(x.size(), 0.0f);
  Parallel parallel(2);
  SparseFfn ffn(parallel, n_tokens);
  const storage::BundleLayout& layout = fixture.bundles.layout(0);
  ffn.accumulate(layout, bundles.data(), 0, layout.n_bundles(), x, n_tokens, y);

  const support::Matrix& gate = fixture.model.weights.at("layers.0.gate");
  const support::Matrix& up = fixture.model.weights.at("layers.0.up");
  const support::Matrix& down = fixture.model.weights.at("layers.0.down");
  for (std::size_t token = 0; token < n_tokens; ++token) {
    std::vector<double> expected(shape.dim, 0.0);
    for (std::size_t neuron = 0; neuron < shape.hidden_dim; ++neuron) {
      double g = 0, u = 0;
      for (std::size_t at = 0; at < shape.dim; ++at) {
        g += double{gate.at(neuron, at)} * x[token * shape.dim + at];
        u += double{up.at(neuron, at)} * x[token * shape.dim + at];
      }
      const double h = g / (1 + std::exp(-g)) * u;
      for (std::size_t at = 0; at < shape.dim; ++at) expected[at] += h * down.at(at, neuron);
    }
    for (std::size_t at = 0; at < shape.dim; ++at) {
      CHECK(y[token * shape.dim + at] == Approx(expected[at]).margin(2e-6));
    }
  }
}

TEST_CASE("the bits depend neither on where the neurons are cut, nor on threads, nor on the batch") {
  support::TinyShape shape;
  shape.dtype = GENERATE(DType::f32, DType::f16);
  support::BundleFixture fixture(shape);
  const std::vector<std::byte> bundles = all_bundles(fixture);
  const storage::BundleLayout& layout = fixture.bundles.layout(0);
  const std::size_t n_tokens = 9;
  const std::vector<float> x = random_rows(n_tokens * shape.dim, 8);
  Parallel one(1);
  SparseFfn whole(one, n_tokens);
  std::vector<float> expected(x.size(), 0.0f);
  whole.accumulate(layout, bundles.data(), 0, layout.n_bundles(), x, n_tokens, expected);

  for (int n_threads = 1; n_threads <= 3; ++n_threads) {
    Parallel parallel(n_threads);
    SparseFfn ffn(parallel, n_tokens);
    for (std::size_t cut = 0; cut <= layout.n_bundles(); ++cut) {
      std::vector<float> y(x.size(), 0.0f);
      ffn.accumulate(layout, bundles.data(), 0, cut, x, n_tokens, y);
      ffn.accumulate(layout, bundles.data() + cut * layout.stride, cut, layout.n_bundles() - cut, x, n_tokens, y);
      CHECK(same_bits(y, expected));
    }
    std::vector<float> single(x.size(), 0.0f);
    for (std::size_t token = 0; token < n_tokens; ++token) {
      ffn.accumulate(layout, bundles.data(), 0, layout.n_bundles(), std::span(x).subspan(token * shape.dim, shape.dim),
                     1, std::span(single).subspan(token * shape.dim, shape.dim));
    }
    CHECK(same_bits(single, expected));
  }
}

TEST_CASE("a batch beyond the scratch is a ShapeError") {
  support::BundleFixture fixture;
  const std::vector<std::byte> bundles = all_bundles(fixture);
  Parallel parallel(1);
  SparseFfn ffn(parallel, 2);
  const std::vector<float> x(3 * 24);
  std::vector<float> y(3 * 24);
  CHECK_THROWS_AS(ffn.accumulate(fixture.bundles.layout(0), bundles.data(), 0, 1, x, 3, y), ShapeError);
}
