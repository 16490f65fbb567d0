// SPDX-License-Identifier: Apache-2.0
/// neuron_read_options.hpp: how the neurons that a selector chose are read.
#pragma once

#include <cstddef>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// How neurons are read.
struct NeuronReadOptions {
  /// Neurons that nobody wants are read along where that many bytes or fewer lie between two that
  /// are wanted. 0 joins neighbours only; docs/architecture.md derives the default.
  std::size_t merge_bytes = std::size_t{4} << 10;
  std::size_t longest_bytes = std::size_t{256} << 10;  // of a joined read
  bool bundled = true;  // false: a read a matrix, as if up and down lay apart (arXiv:2312.11514,
                        // table 2, row 4)
};

}  // namespace flashlm::inline FLASHLM_ABI::units
