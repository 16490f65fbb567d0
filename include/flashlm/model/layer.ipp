// SPDX-License-Identifier: Apache-2.0
/// layer.ipp: the bodies of layer.hpp.
#pragma once

#include "flashlm/model/layer.hpp"

#include "flashlm/kernels/norm.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE void normalize(const ModelConfig& config, std::span<const float> x, const NormWeights& norm,
                              std::span<float> out) {
  const std::size_t dim = config.dim;
  for (std::size_t at = 0; at < x.size(); at += dim) {
    if (config.norm == NormKind::layer) {
      kernels::layer_norm(x.subspan(at, dim), norm.weight, norm.bias, config.norm_epsilon, out.subspan(at, dim));
    } else {
      kernels::rms_norm(x.subspan(at, dim), norm.weight, config.norm_epsilon, out.subspan(at, dim));
    }
  }
}

FLASHLM_INLINE Layer::Layer(const ModelConfig& config, Parallel& parallel, Product& product, std::size_t max_tokens,
                            std::size_t context)
    : config_(config),
      max_tokens_(max_tokens),
      attention_(config, parallel, product, max_tokens, context),
      scratch_(2 * max_tokens * config.dim * sizeof(float)) {}

FLASHLM_INLINE std::size_t Layer::bytes(const ModelConfig& config, std::size_t max_tokens, std::size_t context) {
  return 2 * max_tokens * config.dim * sizeof(float) + Attention::bytes(config, max_tokens, context);
}

}  // namespace flashlm::inline FLASHLM_ABI::model
