// SPDX-License-Identifier: Apache-2.0
/// activation_kind.ipp: the bodies of activation_kind.hpp.
#pragma once

#include "flashlm/compute/cpu/isa/activation_kind.hpp"

#include <cstddef>
#include <iterator>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

namespace detail {

inline constexpr std::string_view kActivationNames[] = {
    "silu", "relu", "relu2", "fatrelu", "gelu_erf", "gelu_tanh", "clamped_swiglu"};

}  // namespace detail

FLASHLM_INLINE std::string_view name(Activation activation) noexcept {
  return detail::kActivationNames[static_cast<int>(activation)];
}

FLASHLM_INLINE std::optional<Activation> activation_of(std::string_view name) noexcept {
  for (std::size_t at = 0; at < std::size(detail::kActivationNames); ++at) {
    if (detail::kActivationNames[at] == name) return static_cast<Activation>(at);
  }
  return std::nullopt;
}

FLASHLM_INLINE std::string activation_names() {
  constexpr std::size_t n = std::size(detail::kActivationNames);
  std::string text;
  for (std::size_t at = 0; at < n; ++at) {
    text += concat(at == 0 ? "" : at + 1 == n ? " or " : ", ", detail::kActivationNames[at]);
  }
  return text;
}

}  // namespace flashlm::inline FLASHLM_ABI::kernels
