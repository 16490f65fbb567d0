// SPDX-License-Identifier: Apache-2.0
/// normalize.hpp: a norm of the graph, applied to rows.
#pragma once

#include <cstddef>
#include <span>

#include "flashlm/model/graph/spec.hpp"
#include "flashlm/model/graph/weights.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// Normalizes every row of x [rows, n] into `out` [rows, n], which may be x. Allocates nothing.
/// Thread-safe.
void normalize(const NormSpec& spec, std::span<const float> x, const NormWeights& weights,
               std::size_t n, std::span<float> out);

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/parts/normalize.ipp"
#endif
