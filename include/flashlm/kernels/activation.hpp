// SPDX-License-Identifier: Apache-2.0
/// activation.hpp: what a gated feed-forward network does to its gate (arXiv:2002.05202, SwiGLU).
#pragma once

#include <span>

#include "flashlm/base/error.hpp"
#include "flashlm/kernels/dispatch.hpp"

namespace flashlm::inline v0::kernels {

/// out[i] = silu(gate[i]) * up[i], with silu(g) = g / (1 + exp(-g)).
///
/// gate, up, out [n]; out may be gate or up. exp is a polynomial of our own, within 2 units in the last place, so that
/// no bit depends on the system's math library. Allocates nothing. Thread-safe.
inline void silu_mul(std::span<const float> gate, std::span<const float> up, std::span<float> out) {
  FLASHLM_ASSERT(up.size() == gate.size() && out.size() == gate.size());
  active().silu_mul(gate.data(), up.data(), out.data(), gate.size());
}

}  // namespace flashlm::inline v0::kernels
