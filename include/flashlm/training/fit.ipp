// SPDX-License-Identifier: Apache-2.0
/// fit.ipp: the bodies of fit.hpp.
#pragma once

#include "flashlm/training/fit.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/training/balanced_loss.hpp"
#include "flashlm/training/eigen.inc"
#include "flashlm/training/low_rank_start.hpp"

namespace flashlm::inline FLASHLM_ABI::training {

namespace detail {

/// Adam's moments of one array of numbers.
class Adam {
 public:
  explicit Adam(std::size_t n) : mean_(n), square_(n) {}

  /// The `step`th change of the values, counted from 1.
  void change(std::span<float> values, std::span<const float> slopes, float rate, std::size_t step,
              Parallel& parallel) {
    constexpr double kMean = 0.9, kSquare = 0.99;
    const auto unbiased = [&](double decay) {
      return static_cast<float>(1 / (1 - std::pow(decay, static_cast<double>(step))));
    };
    const float by_mean = rate * unbiased(kMean), by_square = unbiased(kSquare);
    parallel.for_range(values.size(), kGrain, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        mean_[i] += static_cast<float>(1 - kMean) * (slopes[i] - mean_[i]);
        square_[i] += static_cast<float>(1 - kSquare) * (slopes[i] * slopes[i] - square_[i]);
        values[i] -= by_mean * mean_[i] / (std::sqrt(square_[i] * by_square) + 1e-8F);
      }
    });
  }

 private:
  static constexpr std::size_t kGrain = 16384;

  std::vector<float> mean_, square_;
};

/// What brings the inputs to a root mean square of 1.
inline float input_scale(const Activations& activations) {
  std::vector<float> row(activations.dim);
  double sum = 0;
  for (std::size_t token = 0; token < activations.n_tokens(); ++token) {
    activations.read_input(token, row);
    for (const float value : row) sum += static_cast<double>(value) * static_cast<double>(value);
  }
  const double square = sum / static_cast<double>(activations.n_tokens() * activations.dim);
  return square > 0 ? static_cast<float>(1 / std::sqrt(square)) : 1.0F;
}

inline void shuffle(std::vector<std::size_t>& order, Random& random) {
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.next() % i]);
}

}  // namespace detail

FLASHLM_ONCE LowRank fit(const Activations& activations, const FitOptions& options,
                         Parallel& parallel,
                         const std::function<void(std::size_t, std::size_t)>& progress) {
  constexpr std::size_t kBatch = 128;
  const std::size_t n_tokens = activations.n_tokens();
  if (n_tokens < kFewestTokens) {
    throw ShapeError(concat("[train] tokens: expected ", kFewestTokens, " or more, got ", n_tokens,
                            ". Thousands are better."));
  }
  if (options.epochs == 0) throw ArgumentError("[train] epochs: expected 1 or more, got 0.");
  const Balance balance = Balance::of(activations);
  const float x_scale = detail::input_scale(activations);
  Random random(options.seed);
  LowRank model = low_rank_start(activations, balance, x_scale, options.rank, random, parallel);

  // A step changes a number by about its rate. Numbers of a matrix with longer rows are smaller.
  const float reduce_rate = 0.16F / std::sqrt(static_cast<float>(model.dim));
  const float expand_rate = 0.17F / std::sqrt(static_cast<float>(model.rank));
  constexpr float kBiasRate = 0.03F;
  detail::Adam reduce(model.reduce.size()), expand(model.expand.size()), bias(model.bias.size());
  LowRank slopes = LowRank::zeros(model.rank, model.dim, model.n_neurons);
  BalancedLoss loss(activations, balance, x_scale);
  std::vector<std::size_t> order(n_tokens);
  std::iota(order.begin(), order.end(), std::size_t{0});
  const std::size_t n_steps = options.epochs * ((n_tokens + kBatch - 1) / kBatch);
  std::size_t step = 0;
  for (std::size_t epoch = 0; epoch < options.epochs; ++epoch) {
    detail::shuffle(order, random);
    for (std::size_t first = 0; first < n_tokens; first += kBatch) {
      const std::size_t n = std::min(kBatch, n_tokens - first);
      const auto tokens = std::span(order).subspan(first, n);
      std::sort(tokens.begin(), tokens.end());  // as they lie in the file
      loss.gradient(model, tokens, parallel, slopes);
      const float left = 1 - static_cast<float>(step) / static_cast<float>(n_steps);
      ++step;
      reduce.change(model.reduce, slopes.reduce, left * reduce_rate, step, parallel);
      expand.change(model.expand, slopes.expand, left * expand_rate, step, parallel);
      bias.change(model.bias, slopes.bias, left * kBiasRate, step, parallel);
      if (progress) progress(step, n_steps);
    }
  }
  for (float& value : model.reduce) value *= x_scale;
  return model;
}

}  // namespace flashlm::inline FLASHLM_ABI::training
