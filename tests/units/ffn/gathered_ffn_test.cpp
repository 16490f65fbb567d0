// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/ffn/gathered_ffn.hpp"

#include <cstring>
#include <numeric>
#include <vector>

#include "flashlm/base/random.hpp"
#include "flashlm/compute/cpu/quantise/convert.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace flashlm;
using namespace flashlm::units;
using kernels::Activation;

namespace {

constexpr std::size_t kNeurons = 77, kDim = 50;

/// A layer of random single-neuron bundles.
struct Layer {
  Layer(bool gated, DType dtype)
      : layout(storage::BundleLayout::make(kNeurons, 1, kDim, gated, dtype)) {
    bytes.resize(kNeurons * layout.stride);
    Random random(3);
    for (std::size_t neuron = 0; neuron < kNeurons; ++neuron) {
      for (std::size_t matrix = 0; matrix < layout.n_matrices(); ++matrix) {
        std::vector<float> row(kDim);
        for (float& value : row) value = random.uniform(-0.3f, 0.3f);
        kernels::from_f32(row, dtype,
                          bytes.data() + neuron * layout.stride + matrix * layout.matrix_bytes());
      }
    }
  }
  const std::byte* bundle(NeuronId id) const { return bytes.data() + id * layout.stride; }

  storage::BundleLayout layout;
  std::vector<std::byte> bytes;
};

}  // namespace

TEST_CASE(
    "gathered neurons give the bits of all neurons in order, when what is left out does not fire") {
  Parallel parallel(2);
  const std::vector<float> x = support::random_numbers(kDim, 1),
                           bias = support::random_numbers(kNeurons, 2, 0.4f);
  for (const bool gated : {true, false}) {
    for (const auto activation :
         {Activation::relu, Activation::relu2, Activation::fatrelu, Activation::silu}) {
      if (!gated && activation == Activation::silu) continue;
      for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
        for (const bool biased : {true, false}) {
          CAPTURE(gated, kernels::name(activation), name(dtype), biased);
          const Layer layer(gated, dtype);
          FfnParameters ffn{.activation = activation, .threshold = 0.2f};
          if (biased) ffn.up_bias = bias;
          std::vector<float> expected(kDim), y(kDim);
          SparseFfn dense(parallel, 1);
          dense.accumulate(layer.layout, ffn, layer.bytes.data(), 0, kNeurons, x, 1, expected);
          GatheredFfn gathered(parallel, kNeurons);
          std::vector<NeuronId> ids(kNeurons);
          std::iota(ids.begin(), ids.end(), NeuronId{0});
          for (const NeuronId id : ids) {
            (id % 3 == 1) ? gathered.add_miss(layer.bundle(id))
                          : gathered.add_hit(layer.bundle(id));
          }
          gathered.compute_hits(layer.layout, ffn, ids, x);
          gathered.compute_misses(layer.layout, ffn, ids, x);
          gathered.sum(layer.layout, y);
          REQUIRE(support::same_bits(y, expected));
        }
      }
    }
  }
}

TEST_CASE("neurons come in parts, each adding to what is there") {
  Parallel parallel(2);
  const std::vector<float> x = support::random_numbers(kDim, 1);
  const Layer layer(true, DType::f16);
  const FfnParameters ffn{.activation = Activation::relu};
  GatheredFfn gathered(parallel, kNeurons);
  const auto part = [&](NeuronId begin, NeuronId end, std::vector<float>& y) {
    gathered.clear();
    std::vector<NeuronId> ids;
    for (NeuronId id = begin; id < end; ++id) {
      ids.push_back(id);
      gathered.add_hit(layer.bundle(id));
    }
    gathered.compute_hits(layer.layout, ffn, ids, x);
    gathered.compute_misses(layer.layout, ffn, ids, x);
    gathered.sum(layer.layout, y);
  };
  std::vector<float> whole(kDim), cut(kDim);
  part(0, kNeurons, whole);
  part(0, 10, cut);
  part(10, 10, cut);
  part(10, kNeurons, cut);
  CHECK(support::same_bits(cut, whole));
}
