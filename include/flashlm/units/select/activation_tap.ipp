// SPDX-License-Identifier: Apache-2.0
/// activation_tap.ipp: the bodies of activation_tap.hpp.
#pragma once

#include "flashlm/units/select/activation_tap.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_INLINE ActivationTap::ActivationTap(std::size_t max_tokens, std::size_t hidden_dim,
                                            Observer observer)
    : hidden_dim_(hidden_dim),
      h_(max_tokens * hidden_dim * sizeof(float)),
      observer_(std::move(observer)) {}

FLASHLM_INLINE void ActivationTap::put(std::size_t first, std::size_t n, std::size_t n_tokens,
                                       const float* h, std::size_t stride) {
  FLASHLM_ASSERT(first + n <= hidden_dim_ && n_tokens * hidden_dim_ * sizeof(float) <= h_.size());
  const std::span<float> into = h_.as<float>();
  for (std::size_t token = 0; token < n_tokens; ++token) {
    std::copy_n(h + token * stride, n, into.data() + token * hidden_dim_ + first);
  }
}

FLASHLM_INLINE void ActivationTap::finish(std::size_t layer, std::size_t n_tokens,
                                          std::span<const float> x) {
  const std::span<const float> h = std::as_const(h_).as<float>().first(n_tokens * hidden_dim_);
  require_finite(x, x.size() / n_tokens, layer, "input");
  require_finite(h, hidden_dim_, layer, "activation");
  observer_(layer, n_tokens, x, h);
}

FLASHLM_INLINE void ActivationTap::require_finite(std::span<const float> values, std::size_t row,
                                                  std::size_t layer, const char* what) {
  const auto found = std::find_if_not(values.begin(), values.end(),
                                      [](float value) { return std::isfinite(value); });
  if (found == values.end()) return;
  const auto at = static_cast<std::size_t>(found - values.begin());
  throw FormatError(concat("[activation_tap] ", what, ": expected finite numbers, got ", *found,
                           " (layer ", layer, ", token ", at / row, ", number ", at % row,
                           "). Are the weights damaged?"));
}

}  // namespace flashlm::inline FLASHLM_ABI::units
