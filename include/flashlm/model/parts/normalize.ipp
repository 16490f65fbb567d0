// SPDX-License-Identifier: Apache-2.0
/// normalize.ipp: the bodies of normalize.hpp.
#pragma once

#include "flashlm/model/parts/normalize.hpp"

#include "flashlm/compute/backend.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE void normalize(const NormSpec& spec, std::span<const float> x,
                              const NormWeights& weights, std::size_t n, std::span<float> out) {
  for (std::size_t at = 0; at < x.size(); at += n) {
    switch (spec.kind) {
      case NormKind::layer:
        compute::Backend::layer_norm(x.subspan(at, n), weights.weight, weights.bias, spec.epsilon,
                                     out.subspan(at, n));
        break;
      case NormKind::rms:
        compute::Backend::rms_norm(x.subspan(at, n), weights.weight, spec.epsilon,
                                   out.subspan(at, n));
        break;
    }
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::model
