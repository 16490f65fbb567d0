// SPDX-License-Identifier: Apache-2.0
/// reference_model.hpp: the Llama and OPT graphs in plain loops and doubles, as written in the
/// papers.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/tiles.hpp"
#include "flashlm/base/token.hpp"
#include "support/tiny_model.hpp"

namespace support {

using Row = std::vector<double>;

inline void add(const Row& x, Row& y) {
  for (std::size_t at = 0; at < x.size(); ++at) y[at] += x[at];
}

/// x as quantised matrices see it: blocks of 32 numbers that are multiples of a 127th of the
/// largest.
inline Row in_blocks(Row x) {
  for (std::size_t first = 0; first < x.size(); first += flashlm::kActivationNumbers) {
    double largest = 0;
    for (std::size_t at = first; at < first + flashlm::kActivationNumbers; ++at) {
      largest = std::max(largest, std::abs(x[at]));
    }
    for (std::size_t at = first; at < first + flashlm::kActivationNumbers && largest > 0; ++at) {
      x[at] = std::nearbyint(x[at] / largest * 127) * (largest / 127);
    }
  }
  return x;
}

/// weights x + bias; no bias where the model has none of that name.
inline Row multiply(const TinyShape& shape, const TinyWeights& all, const std::string& name,
                    Row x) {
  if (flashlm::is_block(shape.dtype) && name.starts_with("layers.")) x = in_blocks(std::move(x));
  const Matrix& weights = all.at(name);
  Row y(weights.rows, 0.0);
  if (const auto bias = all.find(name + "_bias"); bias != all.end()) {
    y.assign(bias->second.values.begin(), bias->second.values.end());
  }
  for (std::size_t row = 0; row < weights.rows; ++row) {
    for (std::size_t col = 0; col < weights.cols; ++col) y[row] += weights.at(row, col) * x[col];
  }
  return y;
}

/// The root mean square norm, or where there is a bias the layer norm.
inline Row normalize(const TinyWeights& all, const std::string& name, Row x) {
  const auto bias = all.find(name + "_bias");
  const double n = static_cast<double>(x.size());
  if (bias != all.end()) {
    double mean = 0;
    for (const double value : x) mean += value / n;
    for (double& value : x) value -= mean;
  }
  double squares = 0;
  for (const double value : x) squares += value * value;
  for (std::size_t at = 0; at < x.size(); ++at) {
    x[at] = x[at] / std::sqrt(squares / n + 1e-5) * all.at(name).values[at];
    if (bias != all.end()) x[at] += bias->second.values[at];
  }
  return x;
}

/// Each head of a row by itself.
inline Row normalize_heads(const TinyWeights& all, const std::string& name, const Row& row,
                           std::size_t head_dim) {
  Row out;
  for (std::size_t at = 0; at < row.size(); at += head_dim) {
    const auto begin = row.begin() + static_cast<std::ptrdiff_t>(at);
    const Row head =
        normalize(all, name, Row(begin, begin + static_cast<std::ptrdiff_t>(head_dim)));
    out.insert(out.end(), head.begin(), head.end());
  }
  return out;
}

inline double activate(const TinyShape& shape, double x) {
  if (shape.activation == "silu" && !shape.is_opt()) return x / (1 + std::exp(-x));
  const double rectified = x < shape.threshold ? 0 : x;
  return shape.activation == "relu2" ? rectified * rectified : rectified;
}

/// Half rotation: of the first `dims` of a head, element i turns together with element i + dims
/// / 2.
inline void rotate(Row& row, std::size_t n_heads, std::size_t head_dim, std::size_t dims,
                   std::size_t position) {
  const std::size_t half = dims / 2;
  for (std::size_t head = 0; head < n_heads; ++head) {
    for (std::size_t at = 0; at < half; ++at) {
      const double frequency =
          std::pow(10000.0, -2.0 * static_cast<double>(at) / static_cast<double>(dims));
      const double angle = static_cast<double>(position) * frequency;
      double& a = row[head * head_dim + at];
      double& b = row[head * head_dim + at + half];
      const double turned = a * std::cos(angle) - b * std::sin(angle);
      b = b * std::cos(angle) + a * std::sin(angle);
      a = turned;
    }
  }
}

/// What the heads see at the last position, side by side: [n_heads * head_dim].
inline Row attend(const TinyShape& shape, const Row& query, const std::vector<Row>& keys,
                  const std::vector<Row>& values) {
  const std::size_t group = shape.n_heads / shape.n_kv_heads;
  Row mixed(shape.n_heads * shape.head_dim, 0.0);
  for (std::size_t head = 0; head < shape.n_heads; ++head) {
    Row scores(keys.size());
    double sum = 0;
    for (std::size_t seen = 0; seen < keys.size(); ++seen) {
      double score = 0;
      for (std::size_t at = 0; at < shape.head_dim; ++at) {
        score += query[head * shape.head_dim + at] * keys[seen][head / group * shape.head_dim + at];
      }
      scores[seen] = std::exp(score / std::sqrt(static_cast<double>(shape.head_dim)));
      sum += scores[seen];
    }
    for (std::size_t seen = 0; seen < keys.size(); ++seen) {
      for (std::size_t at = 0; at < shape.head_dim; ++at) {
        mixed[head * shape.head_dim + at] +=
            scores[seen] / sum * values[seen][head / group * shape.head_dim + at];
      }
    }
  }
  return mixed;
}

inline Row feed_forward(const TinyShape& shape, const TinyWeights& weights,
                        const std::string& prefix, const Row& x) {
  Row h = multiply(shape, weights, prefix + "up", x);
  if (shape.is_opt()) {
    for (double& value : h) value = activate(shape, value);
  } else {
    const Row gate = multiply(shape, weights, prefix + "gate", x);
    for (std::size_t neuron = 0; neuron < h.size(); ++neuron)
      h[neuron] *= activate(shape, gate[neuron]);
  }
  return multiply(shape, weights, prefix + "down", h);
}

/// As the KV cache of a model that is not f32 does.
inline Row rounded(const TinyShape& shape, Row row) {
  if (shape.dtype == flashlm::DType::f32) return row;
  for (double& value : row)
    value = flashlm::f16_to_f32(flashlm::f32_to_f16(static_cast<float>(value)));
  return row;
}

/// The logits after every token [tokens.size()][vocab_size].
inline std::vector<Row> reference_logits(const TinyShape& shape, const TinyWeights& weights,
                                         const std::vector<flashlm::Token>& tokens) {
  std::vector<std::vector<Row>> keys(shape.n_layers), values(shape.n_layers);
  std::vector<Row> logits;
  for (std::size_t position = 0; position < tokens.size(); ++position) {
    Row x(shape.dim);
    for (std::size_t at = 0; at < shape.dim; ++at) {
      x[at] = weights.at("embedding").at(static_cast<std::size_t>(tokens[position]), at);
      if (shape.is_opt()) x[at] += weights.at("positions").at(position + 2, at);
    }
    for (std::size_t layer = 0; layer < shape.n_layers; ++layer) {
      const std::string prefix = flashlm::concat("layers.", layer, ".");
      const Row normed = normalize(weights, prefix + "attention_norm", x);
      Row query = multiply(shape, weights, prefix + "q", normed);
      Row key = multiply(shape, weights, prefix + "k", normed);
      if (shape.qk_norm) {
        query = normalize_heads(weights, prefix + "q_norm", query, shape.head_dim);
        key = normalize_heads(weights, prefix + "k_norm", key, shape.head_dim);
      }
      if (!shape.is_opt()) {
        const std::size_t dims = shape.rope_dims == 0 ? shape.head_dim : shape.rope_dims;
        rotate(query, shape.n_heads, shape.head_dim, dims, position);
        rotate(key, shape.n_kv_heads, shape.head_dim, dims, position);
      }
      keys[layer].push_back(rounded(shape, key));
      values[layer].push_back(rounded(shape, multiply(shape, weights, prefix + "v", normed)));
      Row attended =
          multiply(shape, weights, prefix + "o", attend(shape, query, keys[layer], values[layer]));
      if (shape.sandwich) attended = normalize(weights, prefix + "attention_after_norm", attended);
      if (!shape.parallel) add(attended, x);
      Row fed = feed_forward(shape, weights, prefix,
                             shape.parallel ? normed : normalize(weights, prefix + "ffn_norm", x));
      if (shape.sandwich) fed = normalize(weights, prefix + "ffn_after_norm", fed);
      add(fed, x);
      if (shape.parallel) add(attended, x);
    }
    logits.push_back(multiply(shape, weights, shape.tied ? "embedding" : "head",
                              normalize(weights, "final_norm", x)));
  }
  return logits;
}

}  // namespace support
