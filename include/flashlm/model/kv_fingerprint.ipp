// SPDX-License-Identifier: Apache-2.0
/// kv_fingerprint.ipp: the bodies of kv_fingerprint.hpp.
#pragma once

#include "flashlm/model/kv_fingerprint.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "flashlm/base/cpu.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/kernels/dispatch.hpp"
#include "flashlm/model/config.hpp"
#include "flashlm/sparse/selector.hpp"
#include "flashlm/storage/file_record.hpp"
#include "flashlm/storage/layer_record.hpp"
#include "flashlm/storage/manifest.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE storage::Digest kv_fingerprint(const Model& model, DType kv_dtype, std::string_view engine_numerics) {
  const ModelConfig& config = model.config();
  const storage::Manifest& manifest = model.manifest();
  // The bits of a number, since its digits may be rounded.
  const auto bits = [](double value) { return std::bit_cast<std::uint64_t>(value); };
  std::string text =
      concat("flashlm kv\nnumerics ", kNumerics, "\nisa ", name(kernels::active().isa), "\nkv ", name(kv_dtype),
             "\nselector ", model.selector().numerics(), "\nmodel ", config.architecture, ' ', config.dim, ' ',
             config.hidden_dim, ' ', config.n_layers, ' ', config.n_heads, ' ', config.n_kv_heads, ' ', config.head_dim,
             ' ', config.vocab_size, ' ', config.tied_embedding, ' ', bits(config.norm_epsilon), "\ngraph ",
             static_cast<int>(config.norm), ' ', static_cast<int>(config.position), ' ', config.position_offset, ' ',
             kernels::name(config.activation), ' ', bits(config.activation_threshold), ' ', config.gated, ' ',
             config.attention_bias, ' ', config.ffn_bias, "\nrope ", config.rope.type);
  const RopeConfig& rope = config.rope;
  for (const double value :
       {rope.theta, rope.factor, rope.low_freq_factor, rope.high_freq_factor, rope.original_context}) {
    text += concat(' ', bits(value));
  }
  for (const storage::LayerRecord& layer : manifest.layers) text += concat("\nlayer ", storage::json_of(layer).dump());
  if (!engine_numerics.empty()) text += concat("\npolicy ", engine_numerics);
  std::vector<storage::FileRecord> files = manifest.files;
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const storage::FileRecord& file : files) {
    if (file.is_weights()) text += concat("\nfile ", storage::json_of(file).dump());
  }
  storage::Sha256 hash;
  hash.update(text);
  return hash.digest();
}

}  // namespace flashlm::inline FLASHLM_ABI::model
