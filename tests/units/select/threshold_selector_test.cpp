// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/select/threshold_selector.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "flashlm/storage/format/checksum.hpp"
#include "flashlm/storage/format/safetensors_writer.hpp"
#include "flashlm/units/select/gate_writer.hpp"
#include "flashlm/units/select/selector.hpp"
#include "support/bundle_fixture.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace flashlm;
using namespace flashlm::units;

namespace {

constexpr std::size_t kDim = 64, kNeurons = 150, kTokens = 3;
const std::vector<std::size_t> kLayers(3, kNeurons);

struct Fixture : support::BundleFixture {
  explicit Fixture(float threshold)
      : BundleFixture([] {
          support::TinyShape shape;
          shape.dim = kDim;
          shape.neurons_per_bundle = 1;
          return shape;
        }()) {
    const storage::Manifest manifest = storage::Manifest::open(model.path());
    std::vector<storage::TensorSpec> specs;
    std::map<std::string, std::vector<std::byte>> data;
    for (std::size_t layer = 0; layer < 3; ++layer) {
      const std::string prefix = concat("layers.", layer, ".");
      specs.push_back({prefix + "gate", DType::u8, {kNeurons, row_bytes(DType::q8_0, kDim)}});
      specs.push_back({prefix + "threshold", DType::f32, {1}});
      data[prefix + "gate"] = units::detail::copy_gates(bundles, layer).rows;
      const auto bytes = std::as_bytes(std::span(&threshold, 1));
      data[prefix + "threshold"] = {bytes.begin(), bytes.end()};
    }
    specs.push_back({SelectorFile::kChecksums, DType::u8, {specs.size(), 4}});
    storage::SafetensorsWriter writer(model.path() / ThresholdSelector::kFileName, specs,
                                      {{"format", ThresholdSelector::kFormat},
                                       {"format_version", "1"},
                                       {"model", weights_fingerprint(manifest)}});
    std::vector<std::byte> sums;
    for (const std::string& name : writer.order()) {
      if (name == SelectorFile::kChecksums) continue;
      const std::uint32_t sum = storage::crc32(data[name]);
      for (std::size_t i = 0; i < 4; ++i) sums.push_back(static_cast<std::byte>(sum >> (8 * i)));
      writer.write(name, data[name]);
    }
    writer.write(SelectorFile::kChecksums, sums);
    writer.finish();
  }

  SelectorChoice choose(kernels::Activation activation = kernels::Activation::silu) {
    return choose_selector("threshold", model.path(), storage::Manifest::open(model.path()),
                           bundles, activation);
  }
};

}  // namespace

TEST_CASE("a neuron is active where the size of its gate is above the threshold") {
  Fixture fixture(0.2f);
  const SelectorChoice choice = fixture.choose();
  const Selector selector = choice.load();
  REQUIRE(name(selector) == "threshold");
  CHECK(choice.numerics() != "dense");
  Parallel parallel(2);
  const std::vector<float> x = support::random_numbers(kTokens * kDim, 3);
  std::vector<float> scratch(choice.scratch_bytes(kTokens, 2) / sizeof(float));
  ActiveSets sets(kTokens, kNeurons);
  select(selector, 1, fixture.bundles.layout(1), {}, x, kTokens, parallel, scratch, sets);
  const support::Matrix& gate = fixture.model.weights.at("layers.1.gate");
  std::size_t n_active = 0;
  for (std::size_t token = 0; token < kTokens; ++token) {
    for (std::size_t neuron = 0; neuron < kNeurons; ++neuron) {
      double value = 0;
      for (std::size_t k = 0; k < kDim; ++k) {
        value += static_cast<double>(gate.at(neuron, k)) * static_cast<double>(x[token * kDim + k]);
      }
      const double size = std::abs(value / (1 + std::exp(-value)));
      if (std::abs(size - 0.2) > 0.02)
        REQUIRE(sets.has(token, static_cast<NeuronId>(neuron)) == (size > 0.2));
    }
    n_active += sets.count(token, kNeurons);
  }
  CHECK(n_active > 0);
  CHECK(n_active < kTokens * kNeurons);
}

TEST_CASE("thresholds that are no number, or for another activation, are refused") {
  Fixture fixture(std::numeric_limits<float>::quiet_NaN());
  CHECK_THROWS_AS(fixture.choose().load(), FormatError);
  CHECK_THROWS_AS(fixture.choose(kernels::Activation::relu), ArgumentError);
  std::filesystem::remove(fixture.model.path() / ThresholdSelector::kFileName);
  CHECK_THROWS_WITH(fixture.choose(), Catch::Matchers::Contains("add_thresholds"));
}
