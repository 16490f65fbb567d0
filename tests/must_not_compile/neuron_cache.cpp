// SPDX-License-Identifier: Apache-2.0
/// neuron_cache.cpp: a cache keeps a pointer to its bundle file, so a temporary one is refused.
#include "flashlm/sparse/neuron_cache.hpp"

#include <cstddef>
#include <utility>
#include <vector>

flashlm::sparse::NeuronCache make(flashlm::storage::BundleFile& file, const std::vector<std::size_t>& pinned) {
#ifdef MUST_NOT_COMPILE
  return flashlm::sparse::NeuronCache(std::move(file), pinned);
#else
  return flashlm::sparse::NeuronCache(file, pinned);
#endif
}
