// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/select/predictor.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "flashlm/units/select/selector.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"
#include "support/predictor_file.hpp"
#include "support/tiny_model.hpp"

using namespace flashlm;
using namespace flashlm::units;

namespace {

constexpr std::size_t kTokens = 5, kDim = 64, kNeurons = 150;
const std::vector<std::size_t> kLayers{kNeurons, kNeurons, kNeurons};

support::TinyModel tiny_model() {
  support::TinyShape shape;
  shape.dim = kDim;
  shape.neurons_per_bundle = 1;
  return support::TinyModel(shape);
}

SelectorFile load(const support::TinyModel& tiny) {
  const std::string model = weights_fingerprint(storage::Manifest::open(tiny.path()));
  SelectorFile file =
      SelectorFile::open(tiny.path() / Predictor::kFileName, Predictor::kFormat, model);
  file.load();
  return file;
}

struct Run {
  std::vector<std::vector<bool>> operator()(const Predictor& predictor, std::size_t layer,
                                            std::span<const float> x, int n_threads = 2) {
    const std::size_t n = x.size() / kDim;
    Parallel parallel(n_threads);
    std::vector<float> scratch(Predictor::scratch_bytes(64, n, n_threads) / sizeof(float));
    ActiveSets sets(n, kNeurons);
    predictor.select(layer, kNeurons, x, n, parallel, scratch, sets);
    std::vector<std::vector<bool>> result(n);
    for (std::size_t token = 0; token < n; ++token) {
      for (NeuronId id = 0; id < kNeurons; ++id) result[token].push_back(sets.has(token, id));
      CHECK(sets.count(token, kNeurons) ==
            static_cast<std::size_t>(std::count(result[token].begin(), result[token].end(), true)));
    }
    return result;
  }
} run;

}  // namespace

TEST_CASE("a neuron is active where its logit is above the threshold") {
  const support::TinyModel tiny = tiny_model();
  for (const DType dtype : {DType::f16, DType::f32, DType::q8_0}) {
    const std::size_t rank = dtype == DType::q8_0 ? 32 : 6;
    support::write_predictor(tiny.path(), {.rank = rank, .threshold = 0.75f, .dtype = dtype});
    const SelectorFile file = load(tiny);
    const Predictor predictor(load(tiny), kDim, kLayers);
    CHECK(predictor.rank(1) == rank);
    CHECK(predictor.threshold(1) == 0.75f);
    const std::vector<float> x = support::random_numbers(kTokens * kDim, 3);
    const auto sets = run(predictor, 1, x);
    const MatrixView a = file.matrix("layers.1.a", rank, kDim),
                     b = file.matrix("layers.1.b", kNeurons, rank);
    const std::span<const float> bias = file.floats("layers.1.bias", {kNeurons});
    std::size_t n_active = 0;
    for (std::size_t token = 0; token < kTokens; ++token) {
      for (std::size_t neuron = 0; neuron < kNeurons; ++neuron) {
        double logit = static_cast<double>(bias[neuron]);
        for (std::size_t r = 0; r < rank; ++r) {
          double inner = 0;
          for (std::size_t k = 0; k < kDim; ++k) {
            inner += static_cast<double>(support::value_at(dtype, a.row(r), k)) *
                     static_cast<double>(x[token * kDim + k]);
          }
          logit += inner * static_cast<double>(support::value_at(dtype, b.row(neuron), r));
        }
        if (std::abs(logit - 0.75) > 1e-3) REQUIRE(sets[token][neuron] == (logit > 0.75));
        n_active += sets[token][neuron];
      }
    }
    CHECK(n_active > 0);
    CHECK(n_active < kTokens * kNeurons);
  }
}

TEST_CASE("a token's set does not depend on the tokens beside it, nor on threads") {
  const support::TinyModel tiny = tiny_model();
  support::write_predictor(tiny.path());
  const Predictor predictor(load(tiny), kDim, kLayers);
  const std::vector<float> x = support::random_numbers(kTokens * kDim, 4);
  const auto together = run(predictor, 0, x);
  for (std::size_t token = 0; token < kTokens; ++token) {
    CHECK(run(predictor, 0, std::span(x).subspan(token * kDim, kDim), 3)[0] == together[token]);
  }
}

TEST_CASE(
    "thresholds may select everything or nothing, and a layer without a predictor selects "
    "everything") {
  const support::TinyModel tiny = tiny_model();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x = support::random_numbers(kDim, 4);
  support::write_predictor(tiny.path(), {.threshold = infinity, .first_layer = 1});
  const Predictor none(load(tiny), kDim, kLayers);
  CHECK(run(none, 0, x)[0] == std::vector<bool>(kNeurons, true));
  CHECK(none.rank(0) == 0);
  CHECK(run(none, 1, x)[0] == std::vector<bool>(kNeurons, false));
  support::write_predictor(tiny.path(), {.threshold = -infinity});
  CHECK(run(Predictor(load(tiny), kDim, kLayers), 1, x)[0] == std::vector<bool>(kNeurons, true));
}

TEST_CASE("a predictor of another shape or with a threshold that is no number is a FormatError") {
  const support::TinyModel tiny = tiny_model();
  support::write_predictor(tiny.path());
  CHECK_THROWS_AS(Predictor(load(tiny), kDim / 2, kLayers), FormatError);
  CHECK_THROWS_AS(Predictor(load(tiny), kDim, std::vector<std::size_t>{kNeurons, kNeurons}),
                  FormatError);
  CHECK_THROWS_AS(Predictor(load(tiny), kDim, std::vector<std::size_t>{kNeurons, 149, kNeurons}),
                  FormatError);
  support::write_predictor(tiny.path(), {.threshold = std::numeric_limits<float>::quiet_NaN()});
  CHECK_THROWS_AS(Predictor(load(tiny), kDim, kLayers), FormatError);
}
