// SPDX-License-Identifier: Apache-2.0
/// windowed_ffn.ipp: the bodies of windowed_ffn.hpp.
#pragma once

#include "flashlm/units/ffn/windowed_ffn.hpp"

#include <algorithm>
#include <cstring>

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_INLINE WindowedRows::WindowedRows(const SingleNeurons& all, const ChosenFfnOptions& options,
                                          Parallel& parallel)
    : cache_(all.counts, options.n_rows, all.stride, options.eviction),
      gathered_(parallel, all.most) {}

FLASHLM_INLINE std::size_t WindowedRows::bytes(const SingleNeurons& all) noexcept {
  return NeuronCache::index_bytes(all.total, 0) + GatheredFfn::bytes(all.most);
}

FLASHLM_INLINE bool WindowedRows::shrink(std::size_t n_rows) {
  cache_.shrink(n_rows);
  return true;
}

FLASHLM_INLINE void WindowedRows::begin_batch(const FfnLayer& layer) {
  if (layer.index == 0) cache_.begin_token();
}

FLASHLM_INLINE void WindowedRows::begin_token(const FfnLayer& /*layer*/,
                                              std::span<const NeuronId> ids) noexcept {
  ids_ = ids;
  part_ = ids.first(0);
}

FLASHLM_INLINE bool WindowedRows::next(const FfnLayer& layer, MissingNeurons& missing) {
  ids_ = ids_.subspan(part_.size());
  if (ids_.empty()) return false;
  missing.ids.clear();
  missing.rows.clear();
  gathered_.clear();
  std::size_t n = 0;
  for (; n < ids_.size(); ++n) {
    const NeuronCache::Row row = cache_.find(layer.index, ids_[n]);
    if (row != NeuronCache::kNoRow) {
      gathered_.add_hit(cache_.data(row));
      continue;
    }
    if (missing.ids.size() == cache_.n_free()) break;
    std::byte* into = cache_.data(cache_.free_row(missing.ids.size()));
    missing.ids.push_back(ids_[n]);
    missing.rows.push_back(into);
    gathered_.add_miss(into);
  }
  part_ = ids_.first(n);  // none where no row is free: `keep` frees some
  return true;
}

FLASHLM_INLINE void WindowedRows::compute_present(const FfnLayer& layer, std::span<const float> x) {
  gathered_.compute_hits(layer.layout, layer.parameters, part_, x);
}

FLASHLM_INLINE void WindowedRows::compute_arrived(const FfnLayer& layer, std::span<const float> x) {
  gathered_.compute_misses(layer.layout, layer.parameters, part_, x);
}

FLASHLM_INLINE void WindowedRows::sum(const FfnLayer& layer, std::span<float> y) {
  gathered_.sum(layer.layout, y);
}

FLASHLM_INLINE void WindowedRows::keep(const FfnLayer& layer, const MissingNeurons& missing) {
  for (const NeuronId id : part_) cache_.use(layer.index, id);
  if (!cache_.keeps_nothing()) {
    for (const NeuronId id : missing.ids) cache_.keep(layer.index, id);
  }
  cache_.make_room(missing.ids.size());
}

FLASHLM_INLINE void WindowedRows::warm(const FfnLayer& layer, const std::byte* data,
                                       std::size_t first, std::size_t n, const ActiveSets& sets,
                                       std::size_t n_tokens) {
  const std::size_t stride = layer.layout.stride;
  for (std::size_t at = 0; at < n && !cache_.keeps_nothing(); ++at) {
    const NeuronId id = static_cast<NeuronId>(first + at);
    bool wanted = false;
    for (std::size_t token = n_tokens - std::min(n_tokens, kWarmTokens); token < n_tokens;
         ++token) {
      wanted = wanted || sets.has(token, id);
    }
    if (!wanted) continue;
    if (cache_.find(layer.index, id) == NeuronCache::kNoRow) {
      if (2 * cache_.n_free() <= cache_.n_rows()) continue;  // half is left for what comes next
      std::memcpy(cache_.data(cache_.free_row(0)), data + at * stride, stride);
      cache_.keep(layer.index, id);
    }
    cache_.use(layer.index, id);
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::units
