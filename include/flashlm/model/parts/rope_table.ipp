// SPDX-License-Identifier: Apache-2.0
/// rope_table.ipp: the bodies of rope_table.hpp.
#pragma once

#include "flashlm/model/parts/rope_table.hpp"

#include <algorithm>
#include <cmath>

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE RopeTable::RopeTable(const RopeSpec& rope, std::size_t context)
    : half_(rope.dims / 2), table_(bytes(rope, context)) {
  const double factor = rope.attention_factor;
  float* out = table_.as<float>().data();
  for (std::size_t position = 0; position < context; ++position) {
    for (std::size_t at = 0; at < half_; ++at) {
      const float angle = static_cast<float>(position) * rope.frequencies[at];
      out[2 * position * half_ + at] =
          static_cast<float>(factor * std::cos(static_cast<double>(angle)));
      out[(2 * position + 1) * half_ + at] =
          static_cast<float>(factor * std::sin(static_cast<double>(angle)));
    }
  }
}

FLASHLM_INLINE std::size_t RopeTable::bytes(const RopeSpec& rope, std::size_t context) noexcept {
  return rope.dims * context * sizeof(float);
}

FLASHLM_INLINE std::span<const float> RopeTable::cosines(std::size_t position) const noexcept {
  return table_.as<float>().subspan(2 * position * half_, half_);
}

FLASHLM_INLINE std::span<const float> RopeTable::sines(std::size_t position) const noexcept {
  return table_.as<float>().subspan((2 * position + 1) * half_, half_);
}

FLASHLM_INLINE RopeTables::RopeTables(const ModelSpec& spec, std::size_t context) {
  const std::vector<const RopeSpec*> ropes = different(spec);
  for (const RopeSpec* rope : ropes) tables_.emplace_back(*rope, context);
  for (std::size_t layer = 0; layer < spec.n_layers(); ++layer) {
    const RopeSpec* mine = rope_of(spec.layer(layer));
    std::size_t at = mine == nullptr ? kNone : 0;
    while (at != kNone && *ropes[at] != *mine) ++at;
    of_layers_.push_back(at);
  }
}

FLASHLM_INLINE std::size_t RopeTables::bytes(const ModelSpec& spec, std::size_t context) {
  std::size_t sum = 0;
  for (const RopeSpec* rope : different(spec)) sum += RopeTable::bytes(*rope, context);
  return sum;
}

FLASHLM_INLINE const RopeSpec* RopeTables::rope_of(const LayerSpec& layer) noexcept {
  const PartSpec* part = layer.find(PartKind::attention);
  return part != nullptr && part->attention.rope ? &*part->attention.rope : nullptr;
}

FLASHLM_INLINE std::vector<const RopeSpec*> RopeTables::different(const ModelSpec& spec) {
  std::vector<const RopeSpec*> ropes;
  for (const LayerSpec& layer : spec.decoder().kinds) {
    const RopeSpec* mine = rope_of(layer);
    const auto is_mine = [&](const RopeSpec* other) { return *other == *mine; };
    if (mine != nullptr && std::none_of(ropes.begin(), ropes.end(), is_mine)) {
      ropes.push_back(mine);
    }
  }
  return ropes;
}

}  // namespace flashlm::inline FLASHLM_ABI::model
