// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/select/gate_selector.hpp"

#include <cmath>
#include <filesystem>
#include <limits>
#include <vector>

#include "flashlm/compute/cpu/kernels/matmul.hpp"
#include "flashlm/units/select/gate_writer.hpp"
#include "support/bundle_fixture.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace flashlm;
using namespace flashlm::units;

namespace {

constexpr std::size_t kDim = 256, kNeurons = 400;
const std::vector<std::size_t> kLayers(2, kNeurons);

struct Fixture : support::BundleFixture {
  explicit Fixture(DType dtype = DType::f32, float loud = 1)
      : BundleFixture([&] {
          support::TinyShape shape;
          shape.dim = kDim;
          shape.hidden_dim = kNeurons;
          shape.n_layers = 2;
          shape.neurons_per_bundle = 1;
          shape.dtype = dtype;
          return shape;
        }()) {
    for (std::size_t k = 0; k < kDim; ++k)
      x[k] = support::random_numbers(kDim, 9)[k] * (k == 7 ? loud : 1);
    write_gates(model.path());
  }

  GateSelector open() {
    SelectorFile file =
        SelectorFile::open(model.path() / GateSelector::kFileName, GateSelector::kFormat,
                           weights_fingerprint(storage::Manifest::open(model.path())));
    file.load();
    return GateSelector(std::move(file), kDim, kLayers);
  }

  /// The value that the full-precision kernel gives each neuron of a layer.
  std::vector<float> values(std::size_t layer) {
    std::vector<float> result(kNeurons);
    for (std::size_t neuron = 0; neuron < kNeurons; ++neuron) {
      const std::vector<std::byte> bytes = bundle(layer, neuron);
      const storage::BundleView view = storage::view(bundles.layout(layer), bytes.data(), neuron);
      kernels::matmul(view.gate, x.data(), kDim, 1, &result[neuron], 1);
    }
    return result;
  }

  std::vector<bool> select(const GateSelector& gate, std::size_t layer,
                           GateSelector::Firing firing = {}) {
    Parallel parallel(2);
    std::vector<float> scratch(GateSelector::scratch_bytes(kDim, 1, 2) / sizeof(float));
    ActiveSets sets(1, kNeurons);
    gate.select(layer, kNeurons, firing, x, 1, parallel, scratch, sets);
    std::vector<bool> result;
    for (NeuronId id = 0; id < kNeurons; ++id) result.push_back(sets.has(0, id));
    return result;
  }

  std::vector<float> x = std::vector<float>(kDim);
};

}  // namespace

TEST_CASE("every neuron that fires is selected, and few that do not") {
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    for (const float loud : {1.0f, 1000.0f, 1e-20f}) {
      Fixture fixture(dtype, loud);
      const GateSelector gate = fixture.open();
      for (std::size_t layer = 0; layer < 2; ++layer) {
        const std::vector<float> values = fixture.values(layer);
        // A threshold at each neuron's own value is where an error of any size would show.
        for (std::size_t probe = 0; probe < kNeurons; probe += 9) {
          const std::vector<bool> active = fixture.select(gate, layer, {{}, values[probe]});
          for (std::size_t neuron = 0; neuron < kNeurons; ++neuron) {
            if (values[neuron] >= values[probe]) REQUIRE(active[neuron]);
          }
        }
        const std::vector<bool> active = fixture.select(gate, layer);
        std::size_t fires = 0, selected = 0;
        for (std::size_t neuron = 0; neuron < kNeurons; ++neuron) {
          fires += values[neuron] >= 0;
          selected += active[neuron];
        }
        CHECK(selected >= fires);
        if (loud == 1) CHECK(selected < fires + kNeurons / 8);
      }
    }
  }
}

TEST_CASE("the bias of a neuron moves what it must reach") {
  Fixture fixture;
  const GateSelector gate = fixture.open();
  const std::vector<float> values = fixture.values(0);
  std::vector<float> bias(kNeurons);
  for (std::size_t neuron = 0; neuron < kNeurons; ++neuron)
    bias[neuron] = neuron % 2 ? 100.0f : -100.0f;
  const std::vector<bool> active = fixture.select(gate, 0, {bias, 0});
  for (std::size_t neuron = 0; neuron < kNeurons; ++neuron)
    CHECK(active[neuron] == (neuron % 2 == 1));
  // Just at the threshold.
  for (std::size_t neuron = 0; neuron < kNeurons; ++neuron) bias[neuron] = -values[neuron];
  const std::vector<bool> all = fixture.select(gate, 0, {bias, 0});
  CHECK(all == std::vector<bool>(kNeurons, true));
}

TEST_CASE("inputs without bounds select everything") {
  Fixture fixture;
  const GateSelector gate = fixture.open();
  for (const float wild :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 3e38f}) {
    fixture.x[3] = wild;
    CHECK(fixture.select(gate, 0) == std::vector<bool>(kNeurons, true));
  }
}
