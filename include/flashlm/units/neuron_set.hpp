// SPDX-License-Identifier: Apache-2.0
/// neuron_set.hpp: which neurons of a layer a token needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// The number of a neuron within its layer, as in the source model.
using NeuronId = std::uint32_t;

/// Neurons [begin, end).
struct NeuronRange {
  NeuronId begin = 0;
  NeuronId end = 0;

  std::size_t size() const noexcept { return end - begin; }
  bool empty() const noexcept { return end <= begin; }
  bool operator==(const NeuronRange&) const = default;
};

/// A set of neurons as ascending ranges that neither overlap nor touch, so that a dense layer costs
/// one range.
///
/// Adding allocates nothing once `reserve` has made room. Not thread-safe.
class NeuronSet {
 public:
  void reserve(std::size_t n_ranges) { ranges_.reserve(n_ranges); }

  void clear() noexcept;

  /// Adds neurons that lie behind all neurons added before; a range that touches the last one
  /// extends it.
  void push(NeuronRange range);

  std::span<const NeuronRange> ranges() const noexcept { return ranges_; }
  /// Neurons in the set.
  std::size_t size() const noexcept { return size_; }

 private:
  std::vector<NeuronRange> ranges_;
  std::size_t size_ = 0;
};

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/neuron_set.ipp"
#endif
