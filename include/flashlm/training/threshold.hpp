// SPDX-License-Identifier: Apache-2.0
/// threshold.hpp: the threshold of a predictor, and how well it selects.
#pragma once

#include <cstddef>

#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/training/activations.hpp"
#include "flashlm/training/low_rank.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::training {

/// How a predictor does on some tokens.
struct Quality {
  double active = 0;       // share of the neurons that fires
  double predicted = 0;    // share of the neurons that is selected
  double recall = 1;       // share selected of those that fire
  double mass_recall = 1;  // share selected of the sum of their sizes
  double precision = 1;    // share that fires of those that are selected
};

/// The highest threshold above which `recall` of the sum of all sizes is selected. The highest
/// float if nothing fires: nothing need be selected then.
///
/// Logits are those of sparse inference, bit for bit, if the numbers are rounded as they are
/// stored. Throws ShapeError where shapes disagree, ArgumentError for a recall that is not in (0,
/// 1], FormatError for numbers that are not finite.
float find_threshold(const LowRank& predictor, const Activations& activations, double recall,
                     Parallel& parallel);

/// What is selected above a threshold, against what fires. Throws as find_threshold.
Quality measure(const LowRank& predictor, float threshold, const Activations& activations,
                Parallel& parallel);

}  // namespace flashlm::inline FLASHLM_ABI::training

#if !defined(FLASHLM_COMPILED)
#include "flashlm/training/threshold.ipp"
#endif
