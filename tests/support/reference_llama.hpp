// SPDX-License-Identifier: Apache-2.0
/// reference_llama.hpp: the Llama graph in plain loops and doubles, as written in the papers.
#pragma once

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/token.hpp"
#include "support/tiny_model.hpp"

namespace support {

using Row = std::vector<double>;

inline Row multiply(const Matrix& weights, const Row& x) {
  Row y(weights.rows, 0.0);
  for (std::size_t row = 0; row < weights.rows; ++row) {
    for (std::size_t col = 0; col < weights.cols; ++col) y[row] += weights.at(row, col) * x[col];
  }
  return y;
}

inline Row rms_norm(const Row& x, const Matrix& weight) {
  double squares = 0;
  for (const double value : x) squares += value * value;
  const double factor = 1 / std::sqrt(squares / static_cast<double>(x.size()) + 1e-5);
  Row y(x.size());
  for (std::size_t at = 0; at < x.size(); ++at) y[at] = x[at] * factor * weight.values[at];
  return y;
}

/// Half rotation: element i turns together with element i + head_dim / 2.
inline void rotate(Row& row, std::size_t n_heads, std::size_t head_dim, std::size_t position) {
  const std::size_t half = head_dim / 2;
  for (std::size_t head = 0; head < n_heads; ++head) {
    for (std::size_t at = 0; at < half; ++at) {
      const double frequency = std::pow(10000.0, -2.0 * static_cast<double>(at) / static_cast<double>(head_dim));
      const double angle = static_cast<double>(position) * frequency;
      double& a = row[head * head_dim + at];
      double& b = row[head * head_dim + at + half];
      const double turned = a * std::cos(angle) - b * std::sin(angle);
      b = b * std::cos(angle) + a * std::sin(angle);
      a = turned;
    }
  }
}

/// The logits after every token [tokens.size()][vocab_size].
inline std::vector<Row> reference_logits(const TinyShape& shape, const TinyWeights& weights,
                                         const std::vector<flashlm::Token>& tokens) {
  const std::size_t group = shape.n_heads / shape.n_kv_heads;
  std::vector<std::vector<Row>> keys(shape.n_layers), values(shape.n_layers);
  std::vector<Row> logits;
  for (std::size_t position = 0; position < tokens.size(); ++position) {
    Row x(shape.dim);
    for (std::size_t at = 0; at < shape.dim; ++at) {
      x[at] = weights.at("embedding").at(static_cast<std::size_t>(tokens[position]), at);
    }
    for (std::size_t layer = 0; layer < shape.n_layers; ++layer) {
      const std::string prefix = flashlm::concat("layers.", layer, ".");
      const Row normed = rms_norm(x, weights.at(prefix + "attention_norm"));
      Row query = multiply(weights.at(prefix + "q"), normed);
      Row key = multiply(weights.at(prefix + "k"), normed);
      rotate(query, shape.n_heads, shape.head_dim, position);
      rotate(key, shape.n_kv_heads, shape.head_dim, position);
      keys[layer].push_back(key);
      values[layer].push_back(multiply(weights.at(prefix + "v"), normed));
      Row mixed(shape.n_heads * shape.head_dim, 0.0);
      for (std::size_t head = 0; head < shape.n_heads; ++head) {
        Row scores(position + 1);
        double sum = 0;
        for (std::size_t seen = 0; seen <= position; ++seen) {
          double score = 0;
          for (std::size_t at = 0; at < shape.head_dim; ++at) {
            score += query[head * shape.head_dim + at] * keys[layer][seen][head / group * shape.head_dim + at];
          }
          scores[seen] = std::exp(score / std::sqrt(static_cast<double>(shape.head_dim)));
          sum += scores[seen];
        }
        for (std::size_t seen = 0; seen <= position; ++seen) {
          for (std::size_t at = 0; at < shape.head_dim; ++at) {
            mixed[head * shape.head_dim + at] +=
                scores[seen] / sum * values[layer][seen][head / group * shape.head_dim + at];
          }
        }
      }
      const Row attended = multiply(weights.at(prefix + "o"), mixed);
      for (std::size_t at = 0; at < shape.dim; ++at) x[at] += attended[at];
      const Row ffn_input = rms_norm(x, weights.at(prefix + "ffn_norm"));
      const Row gate = multiply(weights.at(prefix + "gate"), ffn_input);
      Row h = multiply(weights.at(prefix + "up"), ffn_input);
      for (std::size_t neuron = 0; neuron < shape.hidden_dim; ++neuron) {
        h[neuron] *= gate[neuron] / (1 + std::exp(-gate[neuron]));
      }
      const Row down = multiply(weights.at(prefix + "down"), h);
      for (std::size_t at = 0; at < shape.dim; ++at) x[at] += down[at];
    }
    logits.push_back(multiply(weights.at(shape.tied ? "embedding" : "head"), rms_norm(x, weights.at("final_norm"))));
  }
  return logits;
}

}  // namespace support
