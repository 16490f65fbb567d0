// SPDX-License-Identifier: Apache-2.0
/// compiled.cpp: the bodies of training/, for programs whose files all define FLASHLM_COMPILED
/// (version.hpp).
#if !defined(FLASHLM_COMPILED)
#error "compiled.cpp belongs to a program that defines FLASHLM_COMPILED in every file."
#endif

#include "flashlm/training/activations.ipp"
#include "flashlm/training/balanced_loss.ipp"
#include "flashlm/training/fit.ipp"
#include "flashlm/training/low_rank_start.ipp"
#include "flashlm/training/threshold.ipp"
