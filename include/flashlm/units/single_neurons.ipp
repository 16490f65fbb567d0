// SPDX-License-Identifier: Apache-2.0
/// single_neurons.ipp: the bodies of single_neurons.hpp.
#pragma once

#include "flashlm/units/single_neurons.hpp"

#include <algorithm>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_INLINE SingleNeurons::SingleNeurons(const storage::BundleFile& file) {
  for (std::size_t layer = 0; layer < file.n_layers(); ++layer) {
    const storage::BundleLayout& layout = file.layout(layer);
    if (layout.neurons_per_bundle != 1) {
      throw ShapeError(concat("[single_neurons] neurons_per_bundle: expected 1, got ",
                              layout.neurons_per_bundle));
    }
    counts.push_back(layout.n_neurons);
    most = std::max(most, layout.n_neurons);
    total += layout.n_neurons;
    stride = std::max(stride, layout.stride);
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::units
