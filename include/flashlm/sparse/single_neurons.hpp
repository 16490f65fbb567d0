// SPDX-License-Identifier: Apache-2.0
/// single_neurons.hpp: the sizes of a model whose bundles hold one neuron each, as selectors want them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/bundle_file.hpp"

namespace flashlm::inline v0::sparse {

/// How many neurons there are, and how large.
struct SingleNeurons {
  std::vector<std::size_t> counts;  // [n_layers]
  std::size_t most = 0;             // of a layer
  std::size_t total = 0;
  std::size_t stride = 0;  // bytes of the largest bundle

  /// Throws ShapeError if a bundle holds more than one neuron.
  explicit SingleNeurons(const storage::BundleFile& file) {
    for (std::size_t layer = 0; layer < file.n_layers(); ++layer) {
      const storage::BundleLayout& layout = file.layout(layer);
      if (layout.neurons_per_bundle != 1) {
        throw ShapeError(concat("[single_neurons] neurons_per_bundle: expected 1, got ", layout.neurons_per_bundle));
      }
      counts.push_back(layout.n_neurons);
      most = std::max(most, layout.n_neurons);
      total += layout.n_neurons;
      stride = std::max(stride, layout.stride);
    }
  }
};

}  // namespace flashlm::inline v0::sparse
