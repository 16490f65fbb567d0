// SPDX-License-Identifier: Apache-2.0
/// chosen_ffn.ipp: the bodies of chosen_ffn.hpp.
#pragma once

#include "flashlm/units/ffn/chosen_ffn.hpp"

#include <algorithm>

#include "flashlm/base/stage_clock.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

template <class Rows>
ChosenFfn<Rows>::ChosenFfn(const storage::BundleFile& file, storage::Reader& reader,
                           Parallel& parallel, const Selector& selector,
                           std::size_t selector_scratch_bytes, const ChosenFfnOptions& options)
    : ChosenFfn(SingleNeurons(file), file, reader, parallel, selector, selector_scratch_bytes,
                options) {}

template <class Rows>
ChosenFfn<Rows>::ChosenFfn(const SingleNeurons& all, const storage::BundleFile& file,
                           storage::Reader& reader, Parallel& parallel, const Selector& selector,
                           std::size_t selector_scratch_bytes, const ChosenFfnOptions& options)
    : file_(&file),
      parallel_(&parallel),
      selector_(&selector),
      rows_(all, options, parallel),
      sets_(options.max_tokens, all.most),
      stream_(file, reader, parallel, sets_, options.max_tokens, options.staging_bytes),
      reads_(file, reader, std::min(all.most, options.n_rows), options.reads),
      selector_scratch_(selector_scratch_bytes),
      ids_(all.most) {
  missing_.ids.reserve(all.most);
  missing_.rows.reserve(all.most);
}

template <class Rows>
std::size_t ChosenFfn<Rows>::bytes(const storage::BundleFile& file,
                                   const ChosenFfnOptions& options) {
  const SingleNeurons all(file);
  return Rows::bytes(all) + ActiveSets::bytes(options.max_tokens, all.most) +
         NeuronReads::bytes(all.most) +
         LayerStream::bytes(file, options.max_tokens, options.staging_bytes) +
         all.most * (2 * sizeof(NeuronId) + sizeof(std::byte*));
}

template <class Rows>
std::size_t ChosenFfn<Rows>::row_bytes(const storage::BundleFile& file) {
  return SingleNeurons(file).stride + Rows::index_bytes();
}

template <class Rows>
void ChosenFfn<Rows>::run(std::size_t index, const FfnParameters& ffn, std::span<const float> x,
                          std::size_t n_tokens, std::span<float> y, Stats& stats) {
  const FfnLayer layer{index, file_->layout(index), ffn};
  const std::size_t dim = layer.layout.dim;
  settle();
  {
    const StageClock clock(stats.select_seconds);
    select(*selector_, index, layer.layout, ffn, x, n_tokens, *parallel_,
           selector_scratch_.as<float>(), sets_);
  }
  std::fill(y.begin(), y.end(), 0.0f);
  const std::uint64_t evictions = rows_.evictions();
  rows_.begin_batch(layer);
  if (n_tokens > 1 && stream_.is_less_work(index, n_tokens)) {
    stream_.run(index, ffn, x, n_tokens, y, stats,
                [&](const std::byte* data, std::size_t first, std::size_t n) {
                  const StageClock clock(stats.memory_seconds);
                  rows_.warm(layer, data, first, n, sets_, n_tokens);
                });
    rows_.end_stream(layer);
  } else {
    for (std::size_t token = 0; token < n_tokens; ++token) {
      run_token(layer, token, x.subspan(token * dim, dim), y.subspan(token * dim, dim), stats);
    }
  }
  for (float& value : y) value += 0.0f;  // -0 becomes +0
  stats.evictions += rows_.evictions() - evictions;
  stats.window = rows_.window();
}

template <class Rows>
bool ChosenFfn<Rows>::shrink(std::size_t n_rows) {
  settle();
  return rows_.shrink(n_rows);
}

template <class Rows>
void ChosenFfn<Rows>::settle() {
  reads_.settle();
  stream_.settle();
}

template <class Rows>
void ChosenFfn<Rows>::run_token(const FfnLayer& layer, std::size_t token, std::span<const float> x,
                                std::span<float> y, Stats& stats) {
  const auto next_part = [&] {
    const StageClock clock(stats.memory_seconds);
    return rows_.next(layer, missing_);
  };
  std::size_t n = 0, n_read = 0;
  {
    const StageClock clock(stats.memory_seconds);
    n = sets_.list(token, layer.layout.n_neurons, ids_);
    rows_.begin_token(layer, std::span(ids_).first(n));
  }
  while (next_part()) {
    read(layer.index, stats, [&] { rows_.compute_present(layer, x); });
    rows_.compute_arrived(layer, x);
    rows_.sum(layer, y);
    const StageClock clock(stats.memory_seconds);
    rows_.keep(layer, missing_);
    n_read += missing_.ids.size();
  }
  const StageClock clock(stats.memory_seconds);
  rows_.end_token(layer);
  stream_.missed(layer.index, n_read);
  stats.selected += n;
  stats.hits += n - n_read;
  stats.misses += n_read;
}

template <class Rows>
template <class Meanwhile>
void ChosenFfn<Rows>::read(std::size_t layer, Stats& stats, Meanwhile&& meanwhile) {
  if (missing_.ids.empty()) return meanwhile();
  {
    const StageClock clock(stats.io_seconds);
    reads_.start(layer, missing_.ids, missing_.rows, stream_.staging());
  }
  meanwhile();
  const StageClock clock(stats.io_seconds);
  reads_.finish();
  stats.gap_bytes += reads_.gap_bytes();
}

}  // namespace flashlm::inline FLASHLM_ABI::units
