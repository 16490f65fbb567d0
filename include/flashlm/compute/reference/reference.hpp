// SPDX-License-Identifier: Apache-2.0
/// reference.hpp: the verbs of a step in plain loops and double, to compare other backends with.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/tiles.hpp"
#include "flashlm/compute/cpu/isa/dispatch.hpp"
#include "flashlm/compute/cpu/quantise/convert.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::compute {

/// A backend for tests: every number is computed in double and rounded once, to the float that
/// holds it. Slow, and it allocates. Weights are decoded as the processor's kernels decode them,
/// which tests of the number formats compare with the formats' own words. Thread-safe.
struct Reference {
  using Row = std::vector<float>;

  static std::string_view name() { return "reference"; }

  static void widen(DType dtype, const std::byte* row, std::span<float> out) {
    kernels::to_f32(dtype, row, out);
  }
  static void keep(std::span<const float> x, DType dtype, std::byte* row) {
    kernels::from_f32(x, dtype, row);
  }

  static void product(const MatrixView& weights, const float* x, std::size_t x_stride,
                      std::size_t n_tokens, float* y, std::size_t y_stride) {
    for (std::size_t row = 0; row < weights.rows; ++row) {
      const Row w = decoded(weights.dtype, weights.row(row), weights.cols);
      for (std::size_t t = 0; t < n_tokens; ++t) {
        y[t * y_stride + row] = rounded(dot(w, {x + t * x_stride, weights.cols}));
      }
    }
  }

  static void product(const TilesView& tiles, const ActivationBlock* x, std::size_t x_stride,
                      std::size_t n_tokens, float* y, std::size_t y_stride) {
    for (std::size_t strip = 0; strip < n_strips(tiles.rows); ++strip) {
      const std::vector<Row> rows = decoded_strip(tiles, strip);
      for (std::size_t at = 0; at < rows.size(); ++at) {
        for (std::size_t t = 0; t < n_tokens; ++t) {
          float& sum = y[t * y_stride + strip * kTileRows + at];
          double exact = sum;
          for (std::size_t k = 0; k < tiles.cols; ++k) {
            const ActivationBlock& block = x[t * x_stride + k / kActivationNumbers];
            exact += double{rows[at][k]} * block.scale * block.quants[k % kActivationNumbers];
          }
          sum = rounded(exact);
        }
      }
    }
  }

  static void round(std::span<const float> x, ActivationBlock* blocks) {
    for (std::size_t at = 0; at < x.size(); at += kActivationNumbers, ++blocks) {
      const std::span<const float> numbers = x.subspan(at, kActivationNumbers);
      double largest = 0;
      for (const float value : numbers) largest = std::max(largest, std::abs(double{value}));
      *blocks = {};
      if (largest < 0x1p-100) continue;
      blocks->scale = rounded(largest / 127);
      for (std::size_t k = 0; k < kActivationNumbers; ++k) {
        const double quant = std::nearbyint(numbers[k] / largest * 127);
        blocks->quants[k] = static_cast<std::int8_t>(quant);
        blocks->sum += blocks->quants[k];
        blocks->halves[k / 16] =
            static_cast<std::int16_t>(blocks->halves[k / 16] + blocks->quants[k]);
      }
    }
  }

  static void rope(std::span<float> head, std::span<const float> cosines,
                   std::span<const float> sines) {
    const std::size_t half = cosines.size();
    for (std::size_t at = 0; at < half; ++at) {
      const double a = head[at], b = head[at + half];
      head[at] = rounded(a * cosines[at] - b * sines[at]);
      head[at + half] = rounded(b * cosines[at] + a * sines[at]);
    }
  }

  static void attend(const kernels::Queries& queries, const MatrixView& keys,
                     const MatrixView& values, float scale) {
    const std::size_t dim = queries.head_dim;
    for (std::size_t token = 0; token < queries.n_tokens; ++token) {
      const std::size_t end = queries.first + token + 1;
      const std::size_t seen = queries.window == 0 ? end : std::min(end, queries.window);
      for (std::size_t head = 0; head < queries.n_heads; ++head) {
        const std::size_t at = token * queries.stride + head * dim;
        std::vector<double> scores;
        for (std::size_t key = end - seen; key < end; ++key) {
          const double score =
              scale * dot(decoded(keys.dtype, keys.row(key), dim), {queries.data + at, dim});
          scores.push_back(capped(score, queries.softcap));
        }
        softmax(scores);
        std::vector<double> sum(dim, 0.0);
        for (std::size_t key = 0; key < seen; ++key) {
          const Row value = decoded(values.dtype, values.row(end - seen + key), dim);
          for (std::size_t k = 0; k < dim; ++k) sum[k] += scores[key] * value[k];
        }
        std::transform(sum.begin(), sum.end(), queries.out + at, rounded);
      }
    }
  }

  static void activate(kernels::Activation activation, float threshold, std::span<float> gate,
                       std::span<const float> up) {
    for (std::size_t at = 0; at < gate.size(); ++at) {
      gate[at] = rounded(activated(activation, threshold, gate[at]) * up[at]);
    }
  }
  static void activate(kernels::Activation activation, float threshold, std::span<float> x) {
    for (float& value : x) value = rounded(activated(activation, threshold, value));
  }

  static void gathered_product(const RowsView& rows, const float* x, float* y) {
    for (std::size_t row = 0; row < rows.n_rows; ++row) {
      y[row] = rounded(dot(decoded(rows.dtype, rows.row(row), rows.cols), {x, rows.cols}));
    }
  }
  static void gathered_sum(const RowsView& rows, const float* h, float* y, std::size_t begin_col,
                           std::size_t end_col) {
    add_rows([&](std::size_t row) { return rows.row(row); }, rows.dtype, rows.n_rows, rows.cols, h,
             y, begin_col, end_col);
  }
  static void neuron_sum(const MatrixView& rows, const float* h, std::size_t h_stride,
                         std::size_t n_tokens, float* y, std::size_t y_stride,
                         std::size_t begin_col, std::size_t end_col,
                         const std::byte* /*next*/ = nullptr) {
    for (std::size_t t = 0; t < n_tokens; ++t) {
      add_rows([&](std::size_t row) { return rows.row(row); }, rows.dtype, rows.rows, rows.cols,
               h + t * h_stride, y + t * y_stride, begin_col, end_col);
    }
  }

  static void rms_norm(std::span<const float> x, std::span<const float> weight, float epsilon,
                       std::span<float> out) {
    normalize(x, 0, weight, {}, epsilon, out);
  }
  static void layer_norm(std::span<const float> x, std::span<const float> weight,
                         std::span<const float> bias, float epsilon, std::span<float> out) {
    double mean = 0;
    for (const float value : x) mean += value / static_cast<double>(x.size());
    normalize(x, mean, weight, bias, epsilon, out);
  }

  static void add(std::span<const float> x, std::span<float> y) {
    for (std::size_t at = 0; at < y.size(); ++at) y[at] = rounded(double{x[at]} + y[at]);
  }
  static void scale(std::span<float> x, float factor) {
    for (float& value : x) value = rounded(double{value} * factor);
  }
  static void softcap(std::span<float> x, float cap) {
    for (float& value : x) value = rounded(capped(value, cap));
  }

 private:
  static float rounded(double value) { return static_cast<float>(value); }

  static Row decoded(DType dtype, const std::byte* row, std::size_t n) {
    Row numbers(n);
    kernels::to_f32(dtype, row, numbers);
    return numbers;
  }

  /// The rows of a strip: a weight is what one times it gives.
  static std::vector<Row> decoded_strip(const TilesView& tiles, std::size_t strip) {
    const std::size_t n = std::min(kTileRows, tiles.rows - strip * kTileRows);
    const std::size_t width = tile_cols(tiles.dtype), n_blocks = width / kActivationNumbers;
    std::vector<ActivationBlock> ones(width * n_blocks);  // [width, n_blocks]: a one a row
    for (std::size_t k = 0; k < width; ++k) {
      ActivationBlock& block = ones[k * n_blocks + k / kActivationNumbers];
      block.quants[k % kActivationNumbers] = 1;
      block.sum = 1;
      block.halves[k % kActivationNumbers / 16] = 1;
      for (std::size_t at = 0; at < n_blocks; ++at) ones[k * n_blocks + at].scale = 1;
    }
    std::vector<Row> rows(n, Row(tiles.cols));
    for (std::size_t first = 0; first < tiles.cols; first += width) {
      const TilesView one{tiles.tile(strip, first / width),
                          tiles.dtype,
                          n,
                          width,
                          tiles.strip_stride,
                          tiles.tile_stride};
      std::vector<float> columns(width * kTileRows, 0.0f);  // [width, kTileRows]
      kernels::table(Isa::scalar)
          .tile_dots(one, ones.data(), n_blocks, width, columns.data(), kTileRows);
      for (std::size_t k = 0; k < width; ++k) {
        for (std::size_t row = 0; row < n; ++row)
          rows[row][first + k] = columns[k * kTileRows + row];
      }
    }
    return rows;
  }

  static double dot(std::span<const float> a, std::span<const float> b) {
    double sum = 0;
    for (std::size_t k = 0; k < a.size(); ++k) sum += double{a[k]} * b[k];
    return sum;
  }

  static double capped(double x, double cap) { return cap == 0 ? x : cap * std::tanh(x / cap); }

  static void softmax(std::vector<double>& x) {
    const double largest = *std::max_element(x.begin(), x.end());
    double sum = 0;
    for (double& value : x) sum += value = std::exp(value - largest);
    for (double& value : x) value /= sum;
  }

  template <class RowAt>
  static void add_rows(RowAt&& row_at, DType dtype, std::size_t n_rows, std::size_t cols,
                       const float* h, float* y, std::size_t begin_col, std::size_t end_col) {
    std::vector<double> sum(y + begin_col, y + end_col);
    for (std::size_t row = 0; row < n_rows; ++row) {
      const Row w = decoded(dtype, row_at(row), cols);
      for (std::size_t col = begin_col; col < end_col; ++col) {
        sum[col - begin_col] += double{h[row]} * w[col];
      }
    }
    std::transform(sum.begin(), sum.end(), y + begin_col, rounded);
  }

  /// (x - mean) / sqrt(mean of squares + epsilon), times a weight and plus a bias where there are.
  static void normalize(std::span<const float> x, double mean, std::span<const float> weight,
                        std::span<const float> bias, double epsilon, std::span<float> out) {
    double squares = 0;
    for (const float value : x) squares += (value - mean) * (value - mean);
    const double size = std::sqrt(squares / static_cast<double>(x.size()) + epsilon);
    for (std::size_t at = 0; at < x.size(); ++at) {
      const double normed = (x[at] - mean) / size * (weight.empty() ? 1.0f : weight[at]);
      out[at] = rounded(normed + (bias.empty() ? 0.0f : bias[at]));
    }
  }

  static double activated(kernels::Activation activation, double threshold, double x) {
    switch (activation) {
      case kernels::Activation::silu: return x / (1 + std::exp(-x));
      case kernels::Activation::relu: return x < 0 ? 0 : x;
      case kernels::Activation::relu2: return x < 0 ? 0 : x * x;
      case kernels::Activation::fatrelu: return x < threshold ? 0 : x;
      case kernels::Activation::gelu_erf: return x / 2 * (1 + std::erf(x / std::sqrt(2.0)));
      case kernels::Activation::gelu_tanh: {
        const double inner = std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x);
        return x / 2 * (1 + std::tanh(inner));
      }
      case kernels::Activation::clamped_swiglu: break;
    }
    FLASHLM_ASSERT(false && "not computed yet");
    return x;
  }
};

}  // namespace flashlm::inline FLASHLM_ABI::compute
