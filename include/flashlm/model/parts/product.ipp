// SPDX-License-Identifier: Apache-2.0
/// product.ipp: the bodies of product.hpp.
#pragma once

#include "flashlm/model/parts/product.hpp"

#include <algorithm>

#include "flashlm/base/error.hpp"
#include "flashlm/compute/backend.hpp"
#include "flashlm/units/ffn/sparse_ffn.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE Product::Product(Parallel& parallel, stream::WeightStream& stream,
                                std::size_t max_tokens, std::size_t tile_cols)
    : parallel_(&parallel), stream_(&stream), blocks_(bytes(max_tokens, tile_cols)) {}

FLASHLM_INLINE std::size_t Product::bytes(std::size_t max_tokens, std::size_t tile_cols) noexcept {
  return max_tokens * (tile_cols / kActivationNumbers) * sizeof(ActivationBlock);
}

FLASHLM_INLINE std::size_t Product::run(const Matrix& matrix, std::span<const float> x,
                                        std::size_t n_tokens, std::span<float> y,
                                        std::span<const float> bias) {
  FLASHLM_ASSERT(!matrix.transposed);
  std::size_t pinned = 0;
  if (matrix.tiled) round(x, matrix.cols, n_tokens);
  stream_->use(matrix.segment, [&](const stream::WeightStream::Units& units) {
    if (units.pinned) pinned += units.n * matrix.unit_bytes();
    const std::size_t first = units.first * matrix.rows_per_unit();
    const std::size_t n = std::min(units.n * matrix.rows_per_unit(), matrix.rows - first);
    const std::span<const float> part = bias.empty() ? bias : bias.subspan(first, n);
    if (matrix.tiled) {
      multiply(matrix.tiles(units.data, n), n_tokens, y.data() + first, matrix.rows, part);
    } else {
      multiply(matrix.view(units.data, n), x, n_tokens, y.data() + first, matrix.rows, part);
    }
  });
  return pinned;
}

FLASHLM_INLINE std::size_t Product::sum(const Matrix& matrix, std::span<const float> x,
                                        std::size_t n_tokens, std::span<float> y) {
  FLASHLM_ASSERT(matrix.transposed);
  std::size_t pinned = 0;
  std::fill(y.begin(), y.end(), 0.0f);
  const std::size_t grain = units::column_grain(matrix.cols, parallel_->n_threads());
  stream_->use(matrix.segment, [&](const stream::WeightStream::Units& units) {
    if (units.pinned) pinned += units.n * matrix.unit_bytes();
    const MatrixView rows = matrix.view(units.data, units.n);
    parallel_->for_range(matrix.cols, grain, [&](std::size_t begin, std::size_t end) {
      compute::Backend::neuron_sum(rows, x.data() + units.first, matrix.rows, n_tokens, y.data(),
                                   matrix.cols, begin, end);
    });
  });
  return pinned;
}

FLASHLM_INLINE void Product::multiply(const MatrixView& rows, std::span<const float> x,
                                      std::size_t n_tokens, float* y, std::size_t y_stride,
                                      std::span<const float> bias) {
  constexpr std::size_t kRowGrain = 16;  // floats: a cache line of y for each thread
  parallel_->for_range(rows.rows, kRowGrain, [&](std::size_t begin, std::size_t end) {
    compute::Backend::product(rows.slice(begin, end - begin), x.data(), rows.cols, n_tokens,
                              y + begin, y_stride);
    if (bias.empty()) return;
    for (std::size_t t = 0; t < n_tokens; ++t) {
      compute::Backend::add(bias.subspan(begin, end - begin),
                            {y + t * y_stride + begin, end - begin});
    }
  });
}

FLASHLM_INLINE void Product::multiply(const TilesView& tiles, std::size_t n_tokens, float* y,
                                      std::size_t y_stride, std::span<const float> bias) {
  const std::size_t n_blocks = tiles.cols / kActivationNumbers;
  parallel_->for_range(tiles.rows, kTileRows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = 0; t < n_tokens; ++t)
      std::fill_n(y + t * y_stride + begin, end - begin, 0.0f);
    compute::Backend::product(tiles.slice(begin, end), blocks_.as<ActivationBlock>().data(),
                              n_blocks, n_tokens, y + begin, y_stride);
    for (std::size_t t = 0; t < n_tokens && !bias.empty(); ++t) {
      compute::Backend::add(bias.subspan(begin, end - begin),
                            {y + t * y_stride + begin, end - begin});
    }
  });
}

FLASHLM_INLINE void Product::round(std::span<const float> x, std::size_t cols,
                                   std::size_t n_tokens) {
  const std::span<ActivationBlock> blocks = blocks_.as<ActivationBlock>();
  const std::size_t n_blocks = cols / kActivationNumbers;
  FLASHLM_ASSERT(n_tokens * n_blocks <= blocks.size());
  parallel_->for_range(n_tokens, 1, [&](std::size_t begin, std::size_t end) {
    compute::Backend::round(x.subspan(begin * cols, (end - begin) * cols),
                            blocks.data() + begin * n_blocks);
  });
}

}  // namespace flashlm::inline FLASHLM_ABI::model
