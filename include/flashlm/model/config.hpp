// SPDX-License-Identifier: Apache-2.0
/// config.hpp: the numbers that define a model, read from config.json in Hugging Face form.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/base/token.hpp"
#include "flashlm/kernels/activation.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// How positions turn into angles (transformers, modeling_rope_utils.py).
struct RopeConfig {
  std::string type = "default";  // default, linear or llama3
  double theta = 10000;          // base of the frequencies
  double factor = 1;             // linear, llama3
  double low_freq_factor = 1;    // llama3
  double high_freq_factor = 4;   // llama3
  double original_context = 0;   // llama3, positions
};

/// How the residual stream is normalised before attention, feed-forward network and head.
enum class NormKind { rms, layer };

/// Where a model gets positions from: queries and keys that are turned, or a row that is added to each embedding.
enum class PositionKind { rotary, learned };

/// The numbers of a model, and which of the variants of the graph it is (docs/architecture.md, architectures).
struct ModelConfig {
  std::string architecture;    // "llama" or "opt"
  std::size_t dim = 0;         // of the residual stream
  std::size_t hidden_dim = 0;  // neurons a layer
  std::size_t n_layers = 0;
  std::size_t n_heads = 0;     // of queries
  std::size_t n_kv_heads = 0;  // of keys and values; divides n_heads
  std::size_t head_dim = 0;
  std::size_t vocab_size = 0;
  std::size_t max_context = 0;    // positions
  NormKind norm = NormKind::rms;  // layer: with bias
  float norm_epsilon = 0;
  PositionKind position = PositionKind::rotary;
  RopeConfig rope;                  // rotary
  std::size_t position_offset = 0;  // learned: position p is row p + position_offset
  kernels::Activation activation = kernels::Activation::silu;
  float activation_threshold = 0;  // fatrelu
  bool gated = true;               // the feed-forward network has a gate
  bool attention_bias = false;     // of queries, keys, values and output
  bool ffn_bias = false;           // of up and down
  bool tied_embedding = false;     // the head is the embedding
  std::optional<Token> bos;
  std::vector<Token> eos;  // any of these ends a text

  /// Reads config.json and, where there is one, generation_config.json (which has the last word on eos).
  ///
  /// Throws FormatError for what is missing, out of range or not supported, and names it.
  static ModelConfig open(const std::filesystem::path& folder);

  /// `text` is the content of config.json, `generation` that of generation_config.json, empty where there is none; the
  /// paths stand in messages. Ids that nothing uses, such as that of padding, may be any.
  static ModelConfig parse(std::string_view text, const std::string& path, std::string_view generation = {},
                           const std::string& generation_path = {});
};

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/config.ipp"
#endif
