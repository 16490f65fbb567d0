// SPDX-License-Identifier: Apache-2.0
/// segment.hpp: weights as a pass sees them, and the memory through which they pass.
#pragma once

#include <cstddef>
#include <cstdint>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::stream {

/// Equal units that lie next to each other in a file: rows of a matrix, or bundles of a layer.
struct Segment {
  std::uint32_t file = 0;
  std::uint64_t offset = 0;
  std::size_t n_units = 0;
  std::size_t unit_bytes = 0;

  std::uint64_t bytes() const noexcept { return std::uint64_t{n_units} * unit_bytes; }
};

/// `n_slots` buffers of `slot_bytes` each.
struct Ring {
  std::size_t n_slots = 0;
  std::size_t slot_bytes = 0;

  /// In whole pages.
  std::size_t bytes() const noexcept;
};

}  // namespace flashlm::inline FLASHLM_ABI::stream

#if !defined(FLASHLM_COMPILED)
#include "flashlm/stream/segment.ipp"
#endif
