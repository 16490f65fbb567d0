// SPDX-License-Identifier: Apache-2.0
/// product.hpp: products of activations with the weight matrices of attention and head, wherever these are.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/parallel.hpp"
#include "flashlm/base/tiles.hpp"
#include "flashlm/kernels/elementwise.hpp"
#include "flashlm/kernels/matmul.hpp"
#include "flashlm/kernels/tile_dots.hpp"
#include "flashlm/model/weights.hpp"
#include "flashlm/sparse/weight_stream.hpp"

namespace flashlm::inline v0::model {

/// Multiplies with matrices that a stream hands out, the rows split among threads.
///
/// Activations are f32 for rows, of any number format; for tiles they are rounded to 8 bits in blocks of 32
/// (kernels::tile_dots).
/// Holds scratch only. Not thread-safe.
class Product {
 public:
  /// Batches of up to `max_tokens`; tiles, if there are any, have up to `tile_cols` columns. `parallel` and `stream`
  /// must outlive this object.
  Product(Parallel& parallel, sparse::WeightStream& stream, std::size_t max_tokens, std::size_t tile_cols)
      : parallel_(&parallel), stream_(&stream), blocks_(bytes(max_tokens, tile_cols)) {}

  /// Bytes that an object of that shape holds.
  static std::size_t bytes(std::size_t max_tokens, std::size_t tile_cols) noexcept {
    return max_tokens * (tile_cols / kBlockNumbers) * sizeof(ActivationBlock);
  }

  /// y[t, r] = matrix[r] . x[t] + bias[r].
  ///
  /// x [n_tokens, matrix.cols], y [n_tokens, matrix.rows], row-major; bias [matrix.rows] or empty. Throws IoError.
  void run(const Matrix& matrix, std::span<const float> x, std::size_t n_tokens, std::span<float> y,
           std::span<const float> bias = {}) {
    if (matrix.tiled) round(x, matrix.cols, n_tokens);
    stream_->use(matrix.segment, [&](const sparse::WeightStream::Units& units) {
      const std::size_t first = units.first * matrix.rows_per_unit();
      const std::size_t n = std::min(units.n * matrix.rows_per_unit(), matrix.rows - first);
      const std::span<const float> part = bias.empty() ? bias : bias.subspan(first, n);
      if (matrix.tiled) {
        multiply(matrix.tiles(units.data, n), n_tokens, y.data() + first, matrix.rows, part);
      } else {
        multiply(matrix.view(units.data, n), x, n_tokens, y.data() + first, matrix.rows, part);
      }
    });
  }

 private:
  void multiply(const MatrixView& rows, std::span<const float> x, std::size_t n_tokens, float* y, std::size_t y_stride,
                std::span<const float> bias) {
    constexpr std::size_t kRowGrain = 16;  // floats: a cache line of y for each thread
    parallel_->for_range(rows.rows, kRowGrain, [&](std::size_t begin, std::size_t end) {
      kernels::matmul(rows.slice(begin, end - begin), x.data(), rows.cols, n_tokens, y + begin, y_stride);
      if (bias.empty()) return;
      for (std::size_t t = 0; t < n_tokens; ++t) {
        kernels::add(bias.subspan(begin, end - begin), {y + t * y_stride + begin, end - begin});
      }
    });
  }

  void multiply(const TilesView& tiles, std::size_t n_tokens, float* y, std::size_t y_stride,
                std::span<const float> bias) {
    const std::size_t n_blocks = tiles.cols / kBlockNumbers;
    parallel_->for_range(tiles.rows, kTileRows, [&](std::size_t begin, std::size_t end) {
      for (std::size_t t = 0; t < n_tokens; ++t) std::fill_n(y + t * y_stride + begin, end - begin, 0.0f);
      kernels::tile_dots(tiles.slice(begin, end), blocks_.as<ActivationBlock>().data(), n_blocks, n_tokens, y + begin,
                         y_stride);
      for (std::size_t t = 0; t < n_tokens && !bias.empty(); ++t) {
        kernels::add(bias.subspan(begin, end - begin), {y + t * y_stride + begin, end - begin});
      }
    });
  }

  /// x in blocks: [n_tokens, cols / 32].
  void round(std::span<const float> x, std::size_t cols, std::size_t n_tokens) {
    const std::span<ActivationBlock> blocks = blocks_.as<ActivationBlock>();
    const std::size_t n_blocks = cols / kBlockNumbers;
    FLASHLM_ASSERT(n_tokens * n_blocks <= blocks.size());
    parallel_->for_range(n_tokens, 1, [&](std::size_t begin, std::size_t end) {
      kernels::to_blocks(x.subspan(begin * cols, (end - begin) * cols), blocks.data() + begin * n_blocks);
    });
  }

  Parallel* parallel_;
  sparse::WeightStream* stream_;
  AlignedBuffer blocks_;  // ActivationBlock [max_tokens, tile_cols / 32]
};

}  // namespace flashlm::inline v0::model
