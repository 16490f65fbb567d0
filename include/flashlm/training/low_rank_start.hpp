// SPDX-License-Identifier: Apache-2.0
/// low_rank_start.hpp: where the fit of a predictor begins: one Newton step, cut to a low rank.
#pragma once

#include <cstddef>

#include "flashlm/base/random.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/training/activations.hpp"
#include "flashlm/training/balanced_loss.hpp"
#include "flashlm/training/low_rank.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::training {

/// A predictor from which few steps of descent are needed.
///
/// From the bias alone, the step of Newton's method is a ridge regression of the loss's slopes onto
/// the inputs, if the Hessian of a neuron is taken to be its mean curvature times the covariance of
/// inputs. Its best approximation of that rank, in the norm of the same Hessian, comes of a
/// randomised singular value decomposition (Halko, Martinsson and Tropp, 2011). At most
/// kStartTokens tokens are looked at, spread evenly: memory does not grow with the text. The inner
/// numbers have unit variance. `x_scale` is what inputs are multiplied with.
///
/// Throws ArgumentError for a rank of 0 or above the layer's dim, FormatError for an input that is
/// not finite.
LowRank low_rank_start(const Activations& activations, const Balance& balance, float x_scale,
                       std::size_t rank, Random& random, Parallel& parallel);

inline constexpr std::size_t kStartTokens = 4096;

}  // namespace flashlm::inline FLASHLM_ABI::training

#if !defined(FLASHLM_COMPILED)
#include "flashlm/training/low_rank_start.ipp"
#endif
