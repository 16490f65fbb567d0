// SPDX-License-Identifier: Apache-2.0
/// ffn_fixture.hpp: a tiny model, tokens for its feed-forward networks, and what these give with
/// all neurons.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "flashlm/base/random.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/units/ffn/sparse_ffn.hpp"
#include "flashlm/units/select/selector.hpp"
#include "support/bundle_fixture.hpp"
#include "support/same_bits.hpp"

namespace support {

inline constexpr std::size_t kTokens = 6;  // of an FfnFixture
/// A shape whose neurons a selector can choose.
inline TinyShape single_neuron_shape(bool gated, const std::string& activation = "relu",
                                     flashlm::DType dtype = flashlm::DType::f16) {
  TinyShape shape = gated ? TinyShape() : TinyShape::opt();
  shape.dim = 64;
  shape.head_dim = 16;
  shape.neurons_per_bundle = 1;
  shape.activation = activation;
  shape.threshold = activation == "fatrelu" ? 0.25f : 0.0f;
  shape.dtype = dtype;
  return shape;
}

/// A tiny model and tokens that change slowly, so that windows find something.
struct FfnFixture : BundleFixture {
  explicit FfnFixture(const TinyShape& shape) : BundleFixture(shape), x(kTokens * shape.dim) {
    flashlm::Random random(7);
    for (std::size_t at = 0; at < x.size(); ++at) {
      const float fresh = random.uniform(-1.0f, 1.0f);
      x[at] = at < shape.dim ? fresh : 0.7f * x[at - shape.dim] + 0.5f * fresh;
    }
    for (float& value : bias) value = random.uniform(-0.5f, 0.1f);
    parameters.activation = shape.is_opt() || shape.activation == "relu"
                                ? flashlm::kernels::Activation::relu
                            : shape.activation == "relu2"   ? flashlm::kernels::Activation::relu2
                            : shape.activation == "fatrelu" ? flashlm::kernels::Activation::fatrelu
                                                            : flashlm::kernels::Activation::silu;
    parameters.threshold = shape.threshold;
    if (shape.is_opt()) parameters.up_bias = bias;
  }

  flashlm::units::Selector selector(const std::string& name) {
    return flashlm::units::choose_selector(name, model.path(),
                                           flashlm::storage::Manifest::open(model.path()), bundles,
                                           parameters.activation)
        .load();
  }

  /// The outputs of all layers, for the tokens in batches of n: [n_layers, kTokens, dim].
  template <class Ffn>
  std::vector<float> pass(Ffn& ffn, std::size_t batch = 1) {
    const std::size_t dim = model.shape.dim;
    std::vector<float> y(model.shape.n_layers * x.size());
    for (std::size_t token = 0; token < kTokens; token += batch) {
      const std::size_t n = std::min(batch, kTokens - token);
      for (std::size_t layer = 0; layer < model.shape.n_layers; ++layer) {
        ffn.run(layer, parameters, std::span(x).subspan(token * dim, n * dim), n,
                std::span(y).subspan((layer * kTokens + token) * dim, n * dim), stats);
      }
    }
    return y;
  }

  /// The same of all neurons, each multiplied whether it fires or not.
  std::vector<float> dense() {
    std::vector<float> y(model.shape.n_layers * x.size());
    flashlm::units::SparseFfn ffn(parallel, kTokens);
    for (std::size_t layer = 0; layer < model.shape.n_layers; ++layer) {
      const flashlm::storage::BundleLayout& layout = bundles.layout(layer);
      std::vector<std::byte> all;
      for (std::size_t index = 0; index < layout.n_bundles(); ++index) {
        const std::vector<std::byte> one = bundle(layer, index);
        all.insert(all.end(), one.begin(), one.end());
      }
      ffn.accumulate(layout, parameters, all.data(), 0, layout.n_bundles(), x, kTokens,
                     std::span(y).subspan(layer * x.size(), x.size()));
    }
    for (float& value : y) value += 0.0f;
    return y;
  }

  flashlm::Parallel parallel{2};
  std::vector<float> x;
  std::vector<float> bias = std::vector<float>(150);
  flashlm::units::FfnParameters parameters;
  flashlm::Stats stats;
};

}  // namespace support
