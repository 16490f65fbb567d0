// SPDX-License-Identifier: Apache-2.0
/// balanced_loss.hpp: what a predictor is fitted to: a cross-entropy in which firing weighs as much
/// as silence.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/training/activations.hpp"
#include "flashlm/training/low_rank.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::training {

/// The weight of each answer. Silence weighs 1. Those that fire weigh as much together; half of
/// that is spread evenly, half by the size of the activation.
struct Balance {
  float fires = 0;               // the evenly spread half, per activation
  float mean_size = 1;           // of the activations that fire
  std::vector<float> bias;       // [n_neurons]: the best logits for who does not know the input
  std::vector<float> curvature;  // [n_neurons]: of the loss there, per token

  /// One pass over the codes. Throws as Activations::check, and FormatError if nothing fires.
  static Balance of(const Activations& activations);

  /// Of an activation that fires.
  float weight(float size) const noexcept { return fires * (1 + size / mean_size); }
};

/// The loss of a predictor on some tokens: summed over neurons, the mean over tokens.
///
/// Both arguments must outlive it. Its sums have a fixed order, whatever the number of threads. Not
/// thread-safe.
class BalancedLoss {
 public:
  /// `x_scale` is what inputs are multiplied with before the predictor sees them.
  BalancedLoss(const Activations& activations, const Balance& balance, float x_scale);

  /// For tests and for those who want to watch; the fit needs gradients alone.
  double value(const LowRank& at, std::span<const std::size_t> tokens, Parallel& parallel);

  /// Throws FormatError for an input that is not finite.
  void gradient(const LowRank& at, std::span<const std::size_t> tokens, Parallel& parallel,
                LowRank& gradient);

 private:
  static constexpr std::size_t kBlock = 128;      // neurons of a product
  static constexpr std::size_t kTokenGrain = 32;  // tokens of a product
  static constexpr std::size_t kRankGrain = 16;   // rows of `reduce` of a product

  /// Fills x_ and inner_.
  void reduce(const LowRank& at, std::span<const std::size_t> tokens, Parallel& parallel);

  const Activations& activations_;
  const Balance& balance_;
  float x_scale_;
  std::vector<float> x_;         // [n_tokens, dim]
  std::vector<float> inner_;     // [n_tokens, rank]
  std::vector<float> partials_;  // [n_blocks, n_tokens, rank]: a block's share of inner's gradient
};

}  // namespace flashlm::inline FLASHLM_ABI::training

#if !defined(FLASHLM_COMPILED)
#include "flashlm/training/balanced_loss.ipp"
#endif
