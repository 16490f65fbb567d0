// SPDX-License-Identifier: Apache-2.0
/// paper_ffn.ipp: the bodies of paper_ffn.hpp.
#pragma once

#include "flashlm/units/ffn/paper_ffn.hpp"

#include <algorithm>
#include <cstring>

#include "flashlm/compute/cpu/kernels/activation.hpp"
#include "flashlm/compute/cpu/kernels/elementwise.hpp"
#include "flashlm/compute/cpu/kernels/matmul.hpp"
#include "flashlm/compute/cpu/kernels/neuron_sum.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_INLINE PaperFfn::PaperFfn(const storage::BundleFile& file, storage::Reader& reader,
                                  Parallel& parallel, const Selector& selector,
                                  std::size_t selector_scratch_bytes, PaperFfnOptions options)
    : PaperFfn(SingleNeurons(file), file, reader, parallel, selector, selector_scratch_bytes,
               options) {}

FLASHLM_INLINE std::size_t PaperFfn::bytes(const storage::BundleFile& file,
                                           const PaperFfnOptions& options) {
  const SingleNeurons all(file);
  return PackedRows::index_bytes(all.total, 0) + ActiveSets::bytes(options.max_tokens, all.most) +
         NeuronReads::bytes(all.most) +
         LayerStream::bytes(file, options.max_tokens, options.staging_bytes) +
         all.most * (2 * sizeof(float) + 2 * sizeof(NeuronId) + sizeof(std::byte*));
}

FLASHLM_INLINE std::size_t PaperFfn::row_bytes(const storage::BundleFile& file) {
  return SingleNeurons(file).stride + PackedRows::index_bytes(0, 1);
}

FLASHLM_INLINE void PaperFfn::run(std::size_t layer, const FfnParameters& ffn,
                                  std::span<const float> x, std::size_t n_tokens,
                                  std::span<float> y, Stats& stats) {
  const storage::BundleLayout& layout = file_->layout(layer);
  settle();
  const double start = now_seconds();
  select(*selector_, layer, layout, ffn, x, n_tokens, *parallel_, selector_scratch_.as<float>(),
         sets_);
  stats.select_seconds += now_seconds() - start;
  std::fill(y.begin(), y.end(), 0.0f);
  const std::uint64_t evictions = rows_.evictions();
  if (n_tokens > 1 && stream_.is_less_work(layer, n_tokens)) {
    stream_.run(layer, ffn, x, n_tokens, y, stats,
                [&](const std::byte* data, std::size_t first, std::size_t n) {
                  warm(layer, ffn, data, first, n, n_tokens - 1, stats);
                });
    rows_.end_token(layer, 0);
  } else {
    for (std::size_t token = 0; token < n_tokens; ++token) {
      run_token(layer, layout, ffn, token, x.subspan(token * layout.dim, layout.dim),
                y.subspan(token * layout.dim, layout.dim), stats);
    }
  }
  stats.evictions += rows_.evictions() - evictions;
  stats.window = rows_.window();
}

FLASHLM_INLINE void PaperFfn::settle() {
  reads_.settle();
  stream_.settle();
}

FLASHLM_INLINE PaperFfn::PaperFfn(const SingleNeurons& all, const storage::BundleFile& file,
                                  storage::Reader& reader, Parallel& parallel,
                                  const Selector& selector, std::size_t selector_scratch_bytes,
                                  PaperFfnOptions options)
    : file_(&file),
      parallel_(&parallel),
      selector_(&selector),
      rows_(all.counts, options.n_rows, all.stride, options.n_tokens),
      sets_(options.max_tokens, all.most),
      stream_(file, reader, parallel, sets_, options.max_tokens, options.staging_bytes),
      reads_(file, reader, std::min(all.most, options.n_rows), options.reads),
      selector_scratch_(selector_scratch_bytes),
      ids_(all.most),
      gates_(all.most),
      ups_(all.most) {
  miss_ids_.reserve(all.most);
  miss_rows_.reserve(all.most);
}

FLASHLM_INLINE void PaperFfn::run_token(std::size_t layer, const storage::BundleLayout& layout,
                                        const FfnParameters& ffn, std::size_t token,
                                        std::span<const float> x, std::span<float> y,
                                        Stats& stats) {
  double start = now_seconds();
  const std::span<const NeuronId> ids =
      std::span(ids_).first(sets_.list(token, layout.n_neurons, ids_));
  miss_ids_.clear();
  for (const NeuronId id : ids) {
    const std::uint32_t row = rows_.find(layer, id);
    if (row == PackedRows::kNoRow) {
      miss_ids_.push_back(id);
    } else {
      rows_.use(layer, row);
    }
  }
  const std::size_t n_hits = ids.size() - miss_ids_.size();
  stats.selected += ids.size();
  stats.hits += n_hits;
  stats.misses += miss_ids_.size();
  rows_.make_room(layer, std::min(miss_ids_.size(), rows_.capacity(layer) - n_hits));
  std::size_t begin = 0, at = 0;  // rows below `begin` and misses below `at` are in y
  do {
    const std::size_t used = rows_.used(layer),
                      n = std::min(miss_ids_.size() - at, rows_.n_free(layer));
    const std::span<const NeuronId> part = std::span(miss_ids_).subspan(at, n);
    miss_rows_.clear();
    for (std::size_t i = 0; i < n; ++i) miss_rows_.push_back(rows_.row(layer, used + i));
    stats.memory_seconds += now_seconds() - start;
    start = now_seconds();
    if (n != 0) reads_.start(layer, part, miss_rows_, stream_.staging());
    stats.io_seconds += now_seconds() - start;
    compute(layer, layout, ffn, begin, used, x);
    start = now_seconds();
    if (n != 0) reads_.finish();
    stats.io_seconds += now_seconds() - start;
    if (n != 0) stats.gap_bytes += reads_.gap_bytes();
    for (const NeuronId id : part)
      rows_.append(layer, id, ffn.up_bias.empty() ? 0.0f : ffn.up_bias[id]);
    compute(layer, layout, ffn, used, used + n, x);
    sum(layer, layout, begin, used + n, y);
    start = now_seconds();
    at += n;
    if (at < miss_ids_.size()) {
      rows_.make_room(layer, std::min(miss_ids_.size() - at,
                                      std::max<std::size_t>(1, rows_.capacity(layer) / 2)));
    }
    begin = rows_.used(layer);
  } while (at < miss_ids_.size());
  rows_.end_token(layer, miss_ids_.size());
  stream_.missed(layer, miss_ids_.size());
  stats.memory_seconds += now_seconds() - start;
}

FLASHLM_INLINE MatrixView PaperFfn::matrix(std::size_t layer, const storage::BundleLayout& layout,
                                           std::size_t index, std::size_t begin,
                                           std::size_t end) noexcept {
  return {rows_.row(layer, begin) + index * layout.matrix_bytes(), layout.dtype, end - begin,
          layout.dim, rows_.row_bytes()};
}

FLASHLM_INLINE void PaperFfn::compute(std::size_t layer, const storage::BundleLayout& layout,
                                      const FfnParameters& ffn, std::size_t first, std::size_t last,
                                      std::span<const float> x) {
  parallel_->for_range(last - first, kRowGrain, [&](std::size_t begin, std::size_t end) {
    begin += first;
    end += first;
    const std::span<float> gates = std::span(gates_).subspan(begin, end - begin);
    const std::span<float> ups = layout.gated ? std::span(ups_).subspan(begin, end - begin) : gates;
    const std::size_t n = end - begin;
    kernels::matmul(matrix(layer, layout, 0, begin, end), x.data(), layout.dim, 1, gates.data(), n);
    if (layout.gated) {
      kernels::matmul(matrix(layer, layout, 1, begin, end), x.data(), layout.dim, 1, ups.data(), n);
    }
    if (!ffn.up_bias.empty()) kernels::add(rows_.biases(layer).subspan(begin, n), ups);
    if (layout.gated) {
      kernels::activate(ffn.activation, ffn.threshold, gates, ups);
    } else {
      kernels::activate(ffn.activation, ffn.threshold, ups);
    }
  });
}

FLASHLM_INLINE void PaperFfn::sum(std::size_t layer, const storage::BundleLayout& layout,
                                  std::size_t begin, std::size_t end, std::span<float> y) {
  if (begin == end) return;
  const MatrixView down = matrix(layer, layout, layout.n_matrices() - 1, begin, end);
  parallel_->for_range(layout.dim, kColumnGrain, [&](std::size_t first, std::size_t last) {
    kernels::neuron_sum(down, gates_.data() + begin, end - begin, 1, y.data(), layout.dim, first,
                        last);
  });
}

FLASHLM_INLINE void PaperFfn::warm(std::size_t layer, const FfnParameters& ffn,
                                   const std::byte* data, std::size_t first, std::size_t n,
                                   std::size_t token, Stats& stats) {
  const double start = now_seconds();
  const std::size_t stride = file_->layout(layer).stride;
  for (std::size_t at = 0; at < n; ++at) {
    const NeuronId id = static_cast<NeuronId>(first + at);
    if (!sets_.has(token, id)) continue;
    const std::uint32_t row = rows_.find(layer, id);
    if (row != PackedRows::kNoRow) {
      rows_.use(layer, row);
    } else if (rows_.n_free(layer) > 0) {
      std::memcpy(rows_.row(layer, rows_.used(layer)), data + at * stride, stride);
      rows_.append(layer, id, ffn.up_bias.empty() ? 0.0f : ffn.up_bias[id]);
    }
  }
  stats.memory_seconds += now_seconds() - start;
}

}  // namespace flashlm::inline FLASHLM_ABI::units
