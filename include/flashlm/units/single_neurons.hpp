// SPDX-License-Identifier: Apache-2.0
/// single_neurons.hpp: the sizes of a model whose bundles hold one neuron each, as selectors want
/// them.
#pragma once

#include <cstddef>
#include <vector>

#include "flashlm/storage/format/bundle_file.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// How many neurons there are, and how large.
struct SingleNeurons {
  std::vector<std::size_t> counts;  // [n_layers]
  std::size_t most = 0;             // of a layer
  std::size_t total = 0;
  std::size_t stride = 0;  // bytes of the largest bundle

  /// Throws ShapeError if a bundle holds more than one neuron.
  explicit SingleNeurons(const storage::BundleFile& file);
};

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/single_neurons.ipp"
#endif
