// SPDX-License-Identifier: Apache-2.0
/// windowed_ffn.ipp: the bodies of windowed_ffn.hpp.
#pragma once

#include "flashlm/units/ffn/windowed_ffn.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_INLINE WindowedFfn::WindowedFfn(const storage::BundleFile& file, storage::Reader& reader,
                                        Parallel& parallel, const Selector& selector,
                                        std::size_t selector_scratch_bytes,
                                        WindowedFfnOptions options)
    : WindowedFfn(SingleNeurons(file), file, reader, parallel, selector, selector_scratch_bytes,
                  options) {}

FLASHLM_INLINE std::size_t WindowedFfn::bytes(const storage::BundleFile& file,
                                              const WindowedFfnOptions& options) {
  const SingleNeurons all(file);
  return NeuronCache::index_bytes(all.total, 0) + ActiveSets::bytes(options.max_tokens, all.most) +
         NeuronReads::bytes(all.most) + GatheredFfn::bytes(all.most) +
         LayerStream::bytes(file, options.max_tokens, options.staging_bytes) +
         all.most * (2 * sizeof(NeuronId) + sizeof(std::byte*));
}

FLASHLM_INLINE std::size_t WindowedFfn::row_bytes(const storage::BundleFile& file) {
  return SingleNeurons(file).stride + NeuronCache::index_bytes(0, 1);
}

FLASHLM_INLINE void WindowedFfn::run(std::size_t layer, const FfnParameters& ffn,
                                     std::span<const float> x, std::size_t n_tokens,
                                     std::span<float> y, Stats& stats) {
  const storage::BundleLayout& layout = file_->layout(layer);
  reads_.settle();
  stream_.settle();
  const double start = now_seconds();
  select(*selector_, layer, layout, ffn, x, n_tokens, *parallel_, selector_scratch_.as<float>(),
         sets_);
  stats.select_seconds += now_seconds() - start;
  std::fill(y.begin(), y.end(), 0.0f);
  const std::uint64_t evictions = cache_.evictions();
  if (layer == 0) cache_.begin_token();
  if (n_tokens > 1 && stream_.is_less_work(layer, n_tokens)) {
    stream_.run(layer, ffn, x, n_tokens, y, stats,
                [&](const std::byte* data, std::size_t first, std::size_t n) {
                  warm(layer, layout, data, first, n, n_tokens, stats);
                });
  } else {
    for (std::size_t token = 0; token < n_tokens; ++token) {
      run_token(layer, layout, ffn, token, x.subspan(token * layout.dim, layout.dim),
                y.subspan(token * layout.dim, layout.dim), stats);
    }
  }
  for (float& value : y) value += 0.0f;  // -0 becomes +0
  stats.evictions += cache_.evictions() - evictions;
  stats.window = cache_.window();
}

FLASHLM_INLINE void WindowedFfn::shrink(std::size_t n_rows) {
  reads_.settle();
  stream_.settle();
  cache_.shrink(n_rows);
}

FLASHLM_INLINE WindowedFfn::WindowedFfn(const SingleNeurons& all, const storage::BundleFile& file,
                                        storage::Reader& reader, Parallel& parallel,
                                        const Selector& selector,
                                        std::size_t selector_scratch_bytes,
                                        WindowedFfnOptions options)
    : file_(&file),
      parallel_(&parallel),
      selector_(&selector),
      cache_(all.counts, options.n_rows, all.stride, options.eviction),
      sets_(options.max_tokens, all.most),
      stream_(file, reader, parallel, sets_, options.max_tokens, options.staging_bytes),
      reads_(file, reader, std::min(all.most, options.n_rows), options.reads),
      gathered_(parallel, all.most),
      selector_scratch_(selector_scratch_bytes),
      ids_(all.most) {
  miss_ids_.reserve(all.most);
  miss_rows_.reserve(all.most);
}

FLASHLM_INLINE void WindowedFfn::run_token(std::size_t layer, const storage::BundleLayout& layout,
                                           const FfnParameters& ffn, std::size_t token,
                                           std::span<const float> x, std::span<float> y,
                                           Stats& stats) {
  double start = now_seconds();
  const std::size_t n = sets_.list(token, layout.n_neurons, ids_);
  const std::span<const NeuronId> ids = std::span(ids_).first(n);
  stats.selected += n;
  std::size_t n_misses = 0;
  for (std::size_t at = 0; at < n;) {
    const std::size_t end = place(layer, ids, at);
    stats.memory_seconds += now_seconds() - start;
    const std::span<const NeuronId> part = ids.subspan(at, end - at);
    start = now_seconds();
    if (!miss_ids_.empty()) reads_.start(layer, miss_ids_, miss_rows_, stream_.staging());
    stats.io_seconds += now_seconds() - start;
    gathered_.compute_hits(layout, ffn, part, x);
    start = now_seconds();
    if (!miss_ids_.empty()) reads_.finish();
    stats.io_seconds += now_seconds() - start;
    gathered_.compute_misses(layout, ffn, part, x);
    gathered_.sum(layout, y);
    start = now_seconds();
    remember(layer, part);
    stats.hits += part.size() - miss_ids_.size();
    stats.misses += miss_ids_.size();
    stats.gap_bytes += miss_ids_.empty() ? 0 : reads_.gap_bytes();
    n_misses += miss_ids_.size();
    at = end;
  }
  stream_.missed(layer, n_misses);
  stats.memory_seconds += now_seconds() - start;
}

FLASHLM_INLINE std::size_t WindowedFfn::place(std::size_t layer, std::span<const NeuronId> ids,
                                              std::size_t at) {
  miss_ids_.clear();
  miss_rows_.clear();
  gathered_.clear();
  for (; at < ids.size(); ++at) {
    const NeuronCache::Row row = cache_.find(layer, ids[at]);
    if (row != NeuronCache::kNoRow) {
      gathered_.add_hit(cache_.data(row));
      continue;
    }
    if (miss_ids_.size() == cache_.n_free()) break;
    std::byte* into = cache_.data(cache_.free_row(miss_ids_.size()));
    miss_ids_.push_back(ids[at]);
    miss_rows_.push_back(into);
    gathered_.add_miss(into);
  }
  return at;
}

FLASHLM_INLINE void WindowedFfn::remember(std::size_t layer, std::span<const NeuronId> part) {
  for (const NeuronId id : part) cache_.use(layer, id);
  if (!cache_.keeps_nothing()) {
    for (const NeuronId id : miss_ids_) cache_.keep(layer, id);
  }
  cache_.make_room(miss_ids_.size());
}

FLASHLM_INLINE void WindowedFfn::warm(std::size_t layer, const storage::BundleLayout& layout,
                                      const std::byte* data, std::size_t first, std::size_t n,
                                      std::size_t n_tokens, Stats& stats) {
  const double start = now_seconds();
  for (std::size_t at = 0; at < n && !cache_.keeps_nothing(); ++at) {
    const NeuronId id = static_cast<NeuronId>(first + at);
    bool wanted = false;
    for (std::size_t token = n_tokens - std::min(n_tokens, kWarmTokens); token < n_tokens;
         ++token) {
      wanted = wanted || sets_.has(token, id);
    }
    if (!wanted) continue;
    if (cache_.find(layer, id) == NeuronCache::kNoRow) {
      if (2 * cache_.n_free() <= cache_.n_rows()) continue;  // half is left for what comes next
      std::memcpy(cache_.data(cache_.free_row(0)), data + at * layout.stride, layout.stride);
      cache_.keep(layer, id);
    }
    cache_.use(layer, id);
  }
  stats.memory_seconds += now_seconds() - start;
}

}  // namespace flashlm::inline FLASHLM_ABI::units
