// SPDX-License-Identifier: Apache-2.0
/// rope_table.hpp: the cosines and sines of rotary positions (Su et al., arXiv:2104.09864).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/model/graph/spec.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// cos and sin of position * frequency, times the attention factor, for every position of a
/// context.
///
/// Angles are float32 products, as transformers computes them, so that long positions round alike;
/// their cosine and sine are taken in double. Immutable. Thread-safe.
class RopeTable {
 public:
  RopeTable(const RopeSpec& rope, std::size_t context);

  static std::size_t bytes(const RopeSpec& rope, std::size_t context) noexcept;

  /// [dims / 2] of a position.
  std::span<const float> cosines(std::size_t position) const noexcept;
  std::span<const float> sines(std::size_t position) const noexcept;

 private:
  std::size_t half_;
  AlignedBuffer table_;  // [context, 2, dims / 2]: cosines, sines
};

/// The angles of all layers of a model: layers with equal ropes share a table. Immutable.
/// Thread-safe.
class RopeTables {
 public:
  RopeTables(const ModelSpec& spec, std::size_t context);

  /// Bytes of the tables.
  static std::size_t bytes(const ModelSpec& spec, std::size_t context);

  /// The table of a layer of the model; null where positions turn nothing.
  const RopeTable* of(std::size_t layer) const noexcept {
    return of_layers_[layer] == kNone ? nullptr : &tables_[of_layers_[layer]];
  }

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};

  /// The rope of a layer's attention, or null.
  static const RopeSpec* rope_of(const LayerSpec& layer) noexcept;

  /// Different ropes, in the order of the layers.
  static std::vector<const RopeSpec*> different(const ModelSpec& spec);

  std::vector<RopeTable> tables_;       // one for each different rope
  std::vector<std::size_t> of_layers_;  // [n_layers]: which of them, or kNone
};

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/parts/rope_table.ipp"
#endif
