// SPDX-License-Identifier: Apache-2.0
/// layer.ipp: the bodies of layer.hpp.
#pragma once

#include "flashlm/model/parts/layer.hpp"

#include "flashlm/compute/backend.hpp"
#include "flashlm/model/parts/normalize.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE Layer::Layer(const ModelSpec& spec, Parallel& parallel, Product& product,
                            std::size_t max_tokens, std::size_t context)
    : dim_(spec.dim),
      max_tokens_(max_tokens),
      attention_(spec, parallel, product, max_tokens, context),
      scratch_(n_buffers(spec) * max_tokens * spec.dim * sizeof(float)) {}

FLASHLM_INLINE std::size_t Layer::bytes(const ModelSpec& spec, std::size_t max_tokens,
                                        std::size_t context) {
  return n_buffers(spec) * max_tokens * spec.dim * sizeof(float) +
         Attention::bytes(spec, max_tokens, context);
}

FLASHLM_INLINE std::size_t Layer::n_buffers(const ModelSpec& spec) {
  for (const LayerSpec& layer : spec.decoder().kinds) {
    if (layer.group_after.size() < layer.parts.size()) return 3;
  }
  return 2;
}

FLASHLM_INLINE std::span<float> Layer::buffer(Buffer index, std::size_t n) noexcept {
  return scratch_.as<float>().subspan(static_cast<std::size_t>(index) * max_tokens_ * dim_, n);
}

FLASHLM_INLINE std::span<const float> Layer::read(const LayerSpec& spec,
                                                  const LayerWeights& weights, std::size_t at,
                                                  std::span<const float> x) {
  // x is as it was for all parts of a group: a norm of it that another part needs again has the
  // same bits again.
  const std::size_t source =
      spec.parts[at].reads.from == Reads::From::norm_of ? spec.parts[at].reads.part : at;
  if (!spec.parts[source].before) return x;
  const std::span<float> normed = buffer(Buffer::normed, x.size());
  normalize(*spec.parts[source].before, x, weights.parts[source].before, dim_, normed);
  return normed;
}

FLASHLM_INLINE void Layer::add_bias(std::span<const float> bias, std::span<float> rows) {
  for (std::size_t at = 0; at < rows.size() && !bias.empty(); at += bias.size()) {
    compute::Backend::add(bias, rows.subspan(at, bias.size()));
  }
}

FLASHLM_INLINE void Layer::finish(const PartSpec& part, const PartWeights& weights,
                                  std::span<float> output, bool adds) {
  if (part.after) normalize(*part.after, output, weights.after, dim_, output);
  if (part.residual_scale != 1) compute::Backend::scale(output, part.residual_scale);
  if (adds) compute::Backend::add(output, buffer(Buffer::sum, output.size()));
}

FLASHLM_INLINE void Layer::add_group(const std::optional<NormSpec>& norm,
                                     const NormWeights& weights, std::span<float> x) {
  const std::span<float> sum = buffer(Buffer::sum, x.size());
  if (norm) normalize(*norm, sum, weights, dim_, sum);
  compute::Backend::add(sum, x);
}

FLASHLM_INLINE void Layer::scale_output(const LayerWeights& weights, std::span<float> x) {
  if (!weights.output_scale.empty()) compute::Backend::scale(x, weights.output_scale.front());
}

}  // namespace flashlm::inline FLASHLM_ABI::model
