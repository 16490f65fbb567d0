// SPDX-License-Identifier: Apache-2.0
/// product.hpp: products of activations with the weight matrices of a pass, wherever these are.
#pragma once

#include <cstddef>
#include <span>

#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/tiles.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/model/graph/weights.hpp"
#include "flashlm/stream/weight_stream.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// Multiplies with matrices that a stream hands out, the rows split among threads.
///
/// Activations are f32 for rows, of any number format; for tiles they are rounded to 8 bits in
/// blocks of 32 (kernels::tile_dots). Holds scratch only. Not thread-safe.
class Product {
 public:
  /// Batches of up to `max_tokens`; tiles, if there are any, have up to `tile_cols` columns.
  /// `parallel` and `stream` must outlive this object.
  Product(Parallel& parallel, stream::WeightStream& stream, std::size_t max_tokens,
          std::size_t tile_cols);

  /// Bytes that an object of that shape holds.
  static std::size_t bytes(std::size_t max_tokens, std::size_t tile_cols) noexcept;

  /// y[t, r] = matrix[r] . x[t] + bias[r]; returns how many bytes of the matrix were pinned.
  ///
  /// x [n_tokens, matrix.cols], y [n_tokens, matrix.rows], row-major; bias [matrix.rows] or empty.
  /// Not of a transposed matrix. Throws IoError.
  std::size_t run(const Matrix& matrix, std::span<const float> x, std::size_t n_tokens,
                  std::span<float> y, std::span<const float> bias = {});

  /// y[t] = sum over r, ascending, of x[t, r] * matrix[r], of a transposed matrix: each element is
  /// one chain of fused multiply-adds. Returns as `run` does.
  ///
  /// x [n_tokens, matrix.rows], y [n_tokens, matrix.cols], row-major. Throws IoError.
  std::size_t sum(const Matrix& matrix, std::span<const float> x, std::size_t n_tokens,
                  std::span<float> y);

 private:
  void multiply(const MatrixView& rows, std::span<const float> x, std::size_t n_tokens, float* y,
                std::size_t y_stride, std::span<const float> bias);

  void multiply(const TilesView& tiles, std::size_t n_tokens, float* y, std::size_t y_stride,
                std::span<const float> bias);

  /// x in blocks: [n_tokens, cols / 32].
  void round(std::span<const float> x, std::size_t cols, std::size_t n_tokens);

  Parallel* parallel_;
  stream::WeightStream* stream_;
  AlignedBuffer blocks_;  // ActivationBlock [max_tokens, tile_cols / 32]
};

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/parts/product.ipp"
#endif
