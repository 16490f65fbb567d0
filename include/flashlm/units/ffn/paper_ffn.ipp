// SPDX-License-Identifier: Apache-2.0
/// paper_ffn.ipp: the bodies of paper_ffn.hpp.
#pragma once

#include "flashlm/units/ffn/paper_ffn.hpp"

#include <algorithm>
#include <cstring>
#include <variant>

#include "flashlm/compute/backend.hpp"
#include "flashlm/units/ffn/neuron_activation.hpp"
#include "flashlm/units/ffn/sparse_ffn.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_INLINE PaperRows::PaperRows(const SingleNeurons& all, const ChosenFfnOptions& options,
                                    Parallel& parallel)
    : parallel_(&parallel),
      rows_(all.counts, options.n_rows, all.stride,
            std::get<PaperEviction>(options.eviction).n_tokens),
      gates_(all.most),
      ups_(all.most) {
  absent_.reserve(all.most);
}

FLASHLM_INLINE std::size_t PaperRows::bytes(const SingleNeurons& all) noexcept {
  return PackedRows::index_bytes(all.total, 0) + all.most * (2 * sizeof(float) + sizeof(NeuronId));
}

FLASHLM_INLINE void PaperRows::begin_token(const FfnLayer& layer, std::span<const NeuronId> ids) {
  absent_.clear();
  for (const NeuronId id : ids) {
    const std::uint32_t row = rows_.find(layer.index, id);
    if (row == PackedRows::kNoRow) {
      absent_.push_back(id);
    } else {
      rows_.use(layer.index, row);
    }
  }
  const std::size_t n_hits = ids.size() - absent_.size();
  rows_.make_room(layer.index, std::min(absent_.size(), rows_.capacity(layer.index) - n_hits));
  part_ = {};
  n_done_ = 0;
  has_begun_ = false;
}

FLASHLM_INLINE bool PaperRows::next(const FfnLayer& layer, MissingNeurons& missing) {
  const std::size_t left = absent_.size() - n_done_;
  if (has_begun_) {
    if (left == 0) return false;
    const std::size_t half = std::max<std::size_t>(1, rows_.capacity(layer.index) / 2);
    rows_.make_room(layer.index, std::min(left, half));
    part_.begin = rows_.used(layer.index);
  }
  has_begun_ = true;
  part_.used = rows_.used(layer.index);
  part_.end = part_.used + std::min(left, rows_.n_free(layer.index));
  missing.ids.clear();
  missing.rows.clear();
  for (std::size_t row = part_.used; row < part_.end; ++row) {
    missing.ids.push_back(absent_[n_done_ + row - part_.used]);
    missing.rows.push_back(rows_.row(layer.index, row));
  }
  return true;
}

FLASHLM_INLINE void PaperRows::compute_present(const FfnLayer& layer, std::span<const float> x) {
  compute(layer, part_.begin, part_.used, x);
}

FLASHLM_INLINE void PaperRows::compute_arrived(const FfnLayer& layer, std::span<const float> x) {
  for (std::size_t row = part_.used; row < part_.end; ++row) {
    append(layer, absent_[n_done_ + row - part_.used]);
  }
  compute(layer, part_.used, part_.end, x);
}

FLASHLM_INLINE void PaperRows::sum(const FfnLayer& layer, std::span<float> y) {
  const std::size_t n = part_.end - part_.begin;
  if (n == 0) return;
  const std::size_t dim = layer.layout.dim;
  const MatrixView down = matrix(layer, layer.layout.n_matrices() - 1, part_.begin, part_.end);
  parallel_->for_range(dim, column_grain(dim, parallel_->n_threads()),
                       [&](std::size_t first, std::size_t last) {
                         compute::Backend::neuron_sum(down, gates_.data() + part_.begin, n, 1,
                                                      y.data(), dim, first, last);
                       });
}

FLASHLM_INLINE void PaperRows::keep(const FfnLayer& /*layer*/,
                                    const MissingNeurons& missing) noexcept {
  n_done_ += missing.ids.size();
}

FLASHLM_INLINE void PaperRows::warm(const FfnLayer& layer, const std::byte* data, std::size_t first,
                                    std::size_t n, const ActiveSets& sets, std::size_t n_tokens) {
  const std::size_t stride = layer.layout.stride;
  for (std::size_t at = 0; at < n; ++at) {
    const NeuronId id = static_cast<NeuronId>(first + at);
    if (!sets.has(n_tokens - 1, id)) continue;
    const std::uint32_t row = rows_.find(layer.index, id);
    if (row != PackedRows::kNoRow) {
      rows_.use(layer.index, row);
    } else if (rows_.n_free(layer.index) > 0) {
      std::memcpy(rows_.row(layer.index, rows_.used(layer.index)), data + at * stride, stride);
      append(layer, id);
    }
  }
}

FLASHLM_INLINE MatrixView PaperRows::matrix(const FfnLayer& layer, std::size_t index,
                                            std::size_t begin, std::size_t end) noexcept {
  return {rows_.row(layer.index, begin) + index * layer.layout.matrix_bytes(), layer.layout.dtype,
          end - begin, layer.layout.dim, rows_.row_bytes()};
}

FLASHLM_INLINE void PaperRows::compute(const FfnLayer& layer, std::size_t first, std::size_t last,
                                       std::span<const float> x) {
  const bool gated = layer.layout.gated, biased = !layer.parameters.up_bias.empty();
  parallel_->for_range(last - first, kRowGrain, [&](std::size_t from, std::size_t to) {
    const std::size_t begin = first + from, n = to - from;
    const auto product = [&](std::size_t index, std::span<float> y) {
      compute::Backend::product(matrix(layer, index, begin, begin + n), x.data(), layer.layout.dim,
                                1, y.data(), n);
    };
    const std::span<float> h = std::span(gates_).subspan(begin, n);
    const std::span<float> ups = std::span(ups_).subspan(begin, gated ? n : 0);
    product(0, h);
    if (gated) product(1, ups);
    activate_neurons(layer.parameters, rows_.biases(layer.index).subspan(begin, biased ? n : 0), h,
                     ups);
  });
}

FLASHLM_INLINE void PaperRows::append(const FfnLayer& layer, NeuronId id) {
  const std::span<const float> bias = layer.parameters.bias(id, 1);
  rows_.append(layer.index, id, bias.empty() ? 0.0f : bias[0]);
}

}  // namespace flashlm::inline FLASHLM_ABI::units
