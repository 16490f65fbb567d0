// SPDX-License-Identifier: Apache-2.0
/// fit.hpp: fits the predictor of one layer to what its neurons did.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/training/activations.hpp"
#include "flashlm/training/low_rank.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::training {

struct FitOptions {
  std::size_t rank = 32;   // numbers between the two matrices
  std::size_t epochs = 8;  // how often each token is seen
  std::uint64_t seed = 0;  // of the random numbers of the start, and of the order of tokens
};

/// The predictor with the least balanced loss that so many epochs find.
///
/// Steps of Adam (Kingma and Ba, 2015) on mini-batches, from low_rank_start, with rates that fall
/// to zero. Adam, since both matrices change at once: that is no convex problem, and the Hessian of
/// Newton's method would have the square of as many numbers. The same seed gives the same bits on a
/// machine, whatever the number of threads. Memory does not grow with the number of tokens.
/// `progress` is called with steps done and in all; what it throws ends the fit.
///
/// Throws ShapeError for fewer than kFewestTokens tokens or parts that disagree, ArgumentError for
/// a rank of 0 or above the layer's dim and for no epochs, FormatError for numbers that are not
/// finite and where no neuron fires.
LowRank fit(const Activations& activations, const FitOptions& options, Parallel& parallel,
            const std::function<void(std::size_t, std::size_t)>& progress = {});

inline constexpr std::size_t kFewestTokens = 16;

}  // namespace flashlm::inline FLASHLM_ABI::training

#if !defined(FLASHLM_COMPILED)
#include "flashlm/training/fit.ipp"
#endif
