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
  for (const RopeSpec* rope : different(spec)) {
    specs_.push_back(*rope);
    tables_.emplace_back(*rope, context);
  }
}

FLASHLM_INLINE std::size_t RopeTables::bytes(const ModelSpec& spec, std::size_t context) {
  std::size_t sum = 0;
  for (const RopeSpec* rope : different(spec)) sum += RopeTable::bytes(*rope, context);
  return sum;
}

FLASHLM_INLINE const RopeTable* RopeTables::find(const AttentionSpec& attention) const noexcept {
  for (std::size_t at = 0; attention.rope && at < specs_.size(); ++at) {
    if (specs_[at] == *attention.rope) return &tables_[at];
  }
  return nullptr;
}

FLASHLM_INLINE std::vector<const RopeSpec*> RopeTables::different(const ModelSpec& spec) {
  std::vector<const RopeSpec*> ropes;
  for (const LayerSpec& layer : spec.decoder().kinds) {
    for (const PartSpec& part : layer.parts) {
      if (part.does != PartKind::attention || !part.attention.rope) continue;
      const RopeSpec& rope = *part.attention.rope;
      const bool is_known = std::any_of(ropes.begin(), ropes.end(),
                                        [&](const auto* other) { return *other == rope; });
      if (!is_known) ropes.push_back(&rope);
    }
  }
  return ropes;
}

}  // namespace flashlm::inline FLASHLM_ABI::model
