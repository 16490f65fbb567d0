// SPDX-License-Identifier: Apache-2.0
/// activations.ipp: the bodies of activations.hpp.
#pragma once

#include "flashlm/training/activations.hpp"

#include <cmath>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/compute/cpu/quantise/convert.hpp"

namespace flashlm::inline FLASHLM_ABI::training {

FLASHLM_INLINE void Activations::check() const {
  const std::size_t n = n_tokens();
  if (n == 0 || dim == 0 || n_neurons == 0) {
    throw ShapeError(concat("[train] activations: expected tokens, inputs and neurons, got ", n,
                            ", ", dim, " and ", n_neurons, "."));
  }
  if (x.size() != n * dim * sizeof(std::uint16_t) || codes.size() != n * n_neurons) {
    throw ShapeError(concat("[train] activations: expected ", n, " tokens of ", dim, " inputs and ",
                            n_neurons, " neurons, got ", x.size(), " bytes and ", codes.size(),
                            " codes."));
  }
  for (std::size_t token = 0; token < n; ++token) {
    if (std::isfinite(scales[token]) && scales[token] >= 0) continue;
    throw FormatError(concat("[train] activations: expected finite sizes, got ", scales[token],
                             " (token ", token, "). Are the weights damaged?"));
  }
}

FLASHLM_INLINE void Activations::read_input(std::size_t token, std::span<float> out) const {
  kernels::to_f32(DType::f16, x.data() + token * dim * sizeof(std::uint16_t), out);
  for (const float value : out) {
    if (std::isfinite(value)) continue;
    throw FormatError(concat("[train] activations: expected finite inputs, got ", value, " (token ",
                             token, "). Are the weights damaged?"));
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::training
