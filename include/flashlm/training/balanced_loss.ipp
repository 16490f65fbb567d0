// SPDX-License-Identifier: Apache-2.0
/// balanced_loss.ipp: the bodies of balanced_loss.hpp.
#pragma once

#include "flashlm/training/balanced_loss.hpp"

#include <algorithm>
#include <cmath>

#include "flashlm/base/error.hpp"
#include "flashlm/training/eigen.inc"

namespace flashlm::inline FLASHLM_ABI::training {

namespace detail {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

inline Eigen::Map<const Matrix> matrix(std::span<const float> values, std::size_t rows,
                                       std::size_t cols) {
  return {values.data(), static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(cols)};
}

inline Eigen::Map<Matrix> matrix(std::span<float> values, std::size_t rows, std::size_t cols) {
  return {values.data(), static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(cols)};
}

/// logits [n_tokens, n] of neurons [first, first + n), of the reduced inputs [n_tokens, rank].
inline void expand(const LowRank& at, const Eigen::Ref<const Matrix>& inner, std::size_t first,
                   std::size_t n, Matrix& logits) {
  const std::span<const float> rows(at.expand);
  logits.noalias() = inner * matrix(rows.subspan(first * at.rank), n, at.rank).transpose();
  logits.rowwise() +=
      Eigen::Map<const Eigen::RowVectorXf>(at.bias.data() + first, static_cast<Eigen::Index>(n));
}

}  // namespace detail

FLASHLM_INLINE Balance Balance::of(const Activations& activations) {
  activations.check();
  const std::size_t n = activations.n_tokens(), n_neurons = activations.n_neurons;
  std::vector<double> counts(n_neurons), sizes(n_neurons);
  for (std::size_t token = 0; token < n; ++token) {
    for (std::size_t neuron = 0; neuron < n_neurons; ++neuron) {
      counts[neuron] += activations.fires(token, neuron) ? 1 : 0;
      sizes[neuron] += static_cast<double>(activations.size(token, neuron));
    }
  }
  double fired = 0, mass = 0;
  for (std::size_t neuron = 0; neuron < n_neurons; ++neuron) {
    fired += counts[neuron];
    mass += sizes[neuron];
  }
  if (!(mass > 0)) {
    throw FormatError(
        "[train] activations: expected neurons that fire, got none. Use more text, or look at the "
        "weights.");
  }
  const double total = static_cast<double>(n);
  Balance balance;
  balance.fires =
      static_cast<float>(0.5 * (total * static_cast<double>(n_neurons) - fired) / fired);
  balance.mean_size = static_cast<float>(mass / fired);
  for (std::size_t neuron = 0; neuron < n_neurons; ++neuron) {
    const double fires = static_cast<double>(balance.fires) *
                         (counts[neuron] + sizes[neuron] * fired / mass) / total;
    const double silent = (total - counts[neuron]) / total;
    const double floor = 1 / total;  // one token more of either, so that no logit is infinite
    const double probability = (fires + floor) / (fires + silent + 2 * floor);
    balance.bias.push_back(static_cast<float>(std::log(probability / (1 - probability))));
    balance.curvature.push_back(
        static_cast<float>((fires + silent + floor) * probability * (1 - probability)));
  }
  return balance;
}

FLASHLM_ONCE BalancedLoss::BalancedLoss(const Activations& activations, const Balance& balance,
                                        float x_scale)
    : activations_(activations), balance_(balance), x_scale_(x_scale) {}

FLASHLM_INLINE void BalancedLoss::reduce(const LowRank& at, std::span<const std::size_t> tokens,
                                         Parallel& parallel) {
  x_.resize(tokens.size() * at.dim);
  inner_.resize(tokens.size() * at.rank);
  const auto reduce = detail::matrix(std::span<const float>(at.reduce), at.rank, at.dim);
  parallel.for_range(tokens.size(), kTokenGrain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t first = begin; first < end; first += kTokenGrain) {
      const std::size_t n = std::min(kTokenGrain, end - first);
      const auto x = detail::matrix(std::span(x_).subspan(first * at.dim), n, at.dim);
      for (std::size_t i = 0; i < n; ++i) {
        const std::span<float> row = std::span(x_).subspan((first + i) * at.dim, at.dim);
        activations_.read_input(tokens[first + i], row);
        for (float& value : row) value *= x_scale_;
      }
      detail::matrix(std::span(inner_).subspan(first * at.rank), n, at.rank).noalias() =
          x * reduce.transpose();
    }
  });
}

FLASHLM_INLINE double BalancedLoss::value(const LowRank& at, std::span<const std::size_t> tokens,
                                          Parallel& parallel) {
  reduce(at, tokens, parallel);
  const std::size_t n = tokens.size();
  const auto inner = detail::matrix(std::span<const float>(inner_), n, at.rank);
  double sum = 0;
  for (std::size_t first = 0; first < at.n_neurons; first += kBlock) {
    const std::size_t width = std::min(kBlock, at.n_neurons - first);
    detail::Matrix logits;
    detail::expand(at, inner, first, width, logits);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < width; ++j) {
        const bool fires = activations_.fires(tokens[i], first + j);
        const double logit =
            static_cast<double>(logits(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)));
        const double wrong = fires ? -logit : logit;
        const float weight =
            fires ? balance_.weight(activations_.size(tokens[i], first + j)) : 1.0F;
        sum += static_cast<double>(weight) *
               (std::max(wrong, 0.0) + std::log1p(std::exp(-std::abs(wrong))));
      }
    }
  }
  return sum / static_cast<double>(n);
}

FLASHLM_INLINE void BalancedLoss::gradient(const LowRank& at, std::span<const std::size_t> tokens,
                                           Parallel& parallel, LowRank& gradient) {
  reduce(at, tokens, parallel);
  const std::size_t n = tokens.size();
  const auto inner = detail::matrix(std::span<const float>(inner_), n, at.rank);
  const std::size_t n_blocks = (at.n_neurons + kBlock - 1) / kBlock;
  partials_.resize(n_blocks * n * at.rank);
  parallel.for_range(at.n_neurons, kBlock, [&](std::size_t begin, std::size_t end) {
    detail::Matrix slopes;  // [n, width]: of the loss, by logits
    for (std::size_t first = begin; first < end; first += kBlock) {
      const std::size_t width = std::min(kBlock, end - first);
      detail::expand(at, inner, first, width, slopes);
      slopes = (1 + (-slopes.array()).exp()).inverse();
      float* biases = gradient.bias.data() + first;
      std::fill_n(biases, width, 0.0F);
      for (std::size_t i = 0; i < n; ++i) {
        const std::uint8_t* codes = &activations_.codes[tokens[i] * at.n_neurons + first];
        const float share = activations_.scales[tokens[i]] / (balance_.mean_size * 255.0F * 255.0F);
        float* row = slopes.data() + i * width;
        for (std::size_t j = 0; j < width; ++j) {
          const float code = static_cast<float>(codes[j]);
          const float firing = balance_.fires * (1 + code * code * share) * (row[j] - 1);
          row[j] = (codes[j] > 0 ? firing : row[j]) / static_cast<float>(n);
          biases[j] += row[j];
        }
      }
      const std::size_t offset = first * at.rank;
      const auto expand =
          detail::matrix(std::span<const float>(at.expand).subspan(offset), width, at.rank);
      detail::matrix(std::span(gradient.expand).subspan(offset), width, at.rank).noalias() =
          slopes.transpose() * inner;
      detail::matrix(std::span(partials_).subspan(first / kBlock * n * at.rank), n, at.rank)
          .noalias() = slopes * expand;
    }
  });
  auto sum = detail::matrix(std::span(partials_), n, at.rank);
  for (std::size_t block = 1; block < n_blocks; ++block)
    sum += detail::matrix(std::span(partials_).subspan(block * n * at.rank), n, at.rank);
  const auto x = detail::matrix(std::span<const float>(x_), n, at.dim);
  parallel.for_range(at.rank, kRankGrain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t first = begin; first < end; first += kRankGrain) {
      const std::size_t rows = std::min(kRankGrain, end - first);
      detail::matrix(std::span(gradient.reduce).subspan(first * at.dim), rows, at.dim).noalias() =
          sum.middleCols(static_cast<Eigen::Index>(first), static_cast<Eigen::Index>(rows))
              .transpose() *
          x;
    }
  });
}

}  // namespace flashlm::inline FLASHLM_ABI::training
