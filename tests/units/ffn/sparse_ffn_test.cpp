// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/ffn/sparse_ffn.hpp"

#include <cstring>
#include <vector>

#include "flashlm/base/random.hpp"
#include "support/bundle_fixture.hpp"
#include "support/catch.hpp"
#include "support/reference_model.hpp"

using namespace flashlm;
using units::FfnParameters;
using units::SparseFfn;

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

/// Gated and not, every activation, bundles of one and of many neurons.
std::vector<support::TinyShape> shapes() {
  std::vector<support::TinyShape> result;
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0}) {
    for (const std::size_t neurons_per_bundle : {1, 32}) {
      if (is_block(dtype) && neurons_per_bundle == 1) continue;
      for (const char* activation : {"silu", "relu", "relu2", "fatrelu", "opt"}) {
        support::TinyShape shape =
            activation == std::string("opt") ? support::TinyShape::opt() : support::TinyShape();
        if (!shape.is_opt()) shape.activation = activation;
        if (shape.activation == "fatrelu") shape.threshold = 0.25f;
        shape.neurons_per_bundle = neurons_per_bundle;
        result.push_back(support::TinyShape::of(dtype, shape));
      }
    }
  }
  return result;
}

/// What `model` says about its feed-forward networks; the bias is that of layer 0.
FfnParameters parameters_of(const support::TinyModel& model) {
  FfnParameters parameters;
  for (const auto activation :
       {kernels::Activation::relu, kernels::Activation::relu2, kernels::Activation::fatrelu}) {
    if (kernels::name(activation) == model.shape.activation) parameters.activation = activation;
  }
  if (model.shape.is_opt()) {
    parameters.activation = kernels::Activation::relu;
    parameters.up_bias = model.weights.at("layers.0.up_bias").values;
  }
  parameters.threshold = model.shape.threshold;
  return parameters;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace

TEST_CASE("the sum over all neurons is the dense feed-forward network") {
  for (const support::TinyShape& shape : shapes()) {
    support::BundleFixture fixture(shape);
    const std::vector<std::byte> bundles = all_bundles(fixture);
    const std::size_t n_tokens = 5;
    const std::vector<float> x = random_rows(n_tokens * shape.dim, 7);
    std::vector<float> y(x.size(), 0.0f);
    Parallel parallel(2);
    SparseFfn ffn(parallel, n_tokens, shape.dim);
    const storage::BundleLayout& layout = fixture.bundles.layout(0);
    ffn.accumulate(layout, parameters_of(fixture.model), bundles.data(), 0, layout.n_bundles(), x,
                   n_tokens, y);

    support::TinyWeights weights = fixture.model.weights;
    weights.erase("layers.0.down_bias");  // which is not of a neuron
    for (std::size_t token = 0; token < n_tokens; ++token) {
      const support::Row row(x.begin() + static_cast<std::ptrdiff_t>(token * shape.dim),
                             x.begin() + static_cast<std::ptrdiff_t>((token + 1) * shape.dim));
      const support::Row expected = support::feed_forward(shape, weights, "layers.0.", row);
      for (std::size_t at = 0; at < shape.dim; ++at) {
        INFO(shape.family << ' ' << shape.activation << ' ' << shape.neurons_per_bundle << ' '
                          << name(shape.dtype));
        // A number of h that the reference rounds to the next step costs a step's share of the
        // output.
        REQUIRE(y[token * shape.dim + at] ==
                Approx(expected[at]).margin(is_block(shape.dtype) ? 4e-3 : 4e-6));
      }
    }
  }
}

TEST_CASE(
    "the bits depend neither on where the neurons are cut, nor on threads, nor on the batch") {
  for (const support::TinyShape& shape : shapes()) {
    INFO(shape.family << ' ' << shape.activation << ' ' << shape.neurons_per_bundle << ' '
                      << name(shape.dtype));
    support::BundleFixture fixture(shape);
    const FfnParameters parameters = parameters_of(fixture.model);
    const std::vector<std::byte> bundles = all_bundles(fixture);
    const storage::BundleLayout& layout = fixture.bundles.layout(0);
    const std::size_t n_tokens = 9;
    const std::vector<float> x = random_rows(n_tokens * shape.dim, 8);
    Parallel one(1);
    SparseFfn whole(one, n_tokens, shape.dim);
    std::vector<float> expected(x.size(), 0.0f);
    whole.accumulate(layout, parameters, bundles.data(), 0, layout.n_bundles(), x, n_tokens,
                     expected);

    for (int n_threads = 1; n_threads <= 3; ++n_threads) {
      Parallel parallel(n_threads);
      SparseFfn ffn(parallel, n_tokens, shape.dim);
      for (std::size_t cut = 0; cut <= layout.n_bundles();
           cut += layout.n_bundles() > 10 ? 37 : 1) {
        std::vector<float> y(x.size(), 0.0f);
        ffn.accumulate(layout, parameters, bundles.data(), 0, cut, x, n_tokens, y);
        ffn.accumulate(layout, parameters, bundles.data() + cut * layout.stride, cut,
                       layout.n_bundles() - cut, x, n_tokens, y);
        CHECK(same_bits(y, expected));
      }
      std::vector<float> single(x.size(), 0.0f);
      for (std::size_t token = 0; token < n_tokens; ++token) {
        ffn.accumulate(layout, parameters, bundles.data(), 0, layout.n_bundles(),
                       std::span(x).subspan(token * shape.dim, shape.dim), 1,
                       std::span(single).subspan(token * shape.dim, shape.dim));
      }
      CHECK(same_bits(single, expected));
    }
  }
}

TEST_CASE("the bits do not depend on how many neurons a bundle holds") {
  support::TinyShape shape = support::TinyShape::opt();
  const std::vector<float> x = random_rows(3 * shape.dim, 9);
  std::vector<std::vector<float>> results;
  for (const std::size_t neurons_per_bundle : {1, 7, 32}) {
    shape.neurons_per_bundle = neurons_per_bundle;
    support::BundleFixture fixture(shape);
    Parallel parallel(2);
    SparseFfn ffn(parallel, 3);
    const storage::BundleLayout& layout = fixture.bundles.layout(0);
    results.emplace_back(x.size(), 0.0f);
    ffn.accumulate(layout, parameters_of(fixture.model), all_bundles(fixture).data(), 0,
                   layout.n_bundles(), x, 3, results.back());
    CHECK(same_bits(results.back(), results.front()));
  }
}

TEST_CASE("a batch beyond the scratch is a ShapeError") {
  support::BundleFixture fixture;
  const std::vector<std::byte> bundles = all_bundles(fixture);
  Parallel parallel(1);
  SparseFfn ffn(parallel, 2);
  const std::vector<float> x(3 * 24);
  std::vector<float> y(3 * 24);
  CHECK_THROWS_AS(ffn.accumulate(fixture.bundles.layout(0), {}, bundles.data(), 0, 1, x, 3, y),
                  ShapeError);
}

TEST_CASE("quantised layers beyond the scratch are a ShapeError") {
  support::BundleFixture fixture(
      support::TinyShape::of(DType::q8_0, support::TinyShape::bundled()));
  const std::vector<std::byte> bundles = all_bundles(fixture);
  Parallel parallel(1);
  SparseFfn ffn(parallel, 1, 32);
  const std::vector<float> x(64);
  std::vector<float> y(64);
  CHECK_THROWS_AS(ffn.accumulate(fixture.bundles.layout(0), {}, bundles.data(), 0, 1, x, 1, y),
                  ShapeError);
  CHECK(SparseFfn::bytes(1) < SparseFfn::bytes(1, 32));
}
