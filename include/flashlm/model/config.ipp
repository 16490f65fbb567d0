// SPDX-License-Identifier: Apache-2.0
/// config.ipp: the bodies of config.hpp.
#pragma once

#include "flashlm/model/config.hpp"

#include "flashlm/base/error.hpp"
#include "flashlm/storage/file.hpp"
#include "flashlm/storage/json.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

namespace detail {

/// Refuses a feature that the graph of the model does not have.
inline void require_no(const storage::JsonField& field) {
  if (field.flag(false)) field.wrong("false", "The feature is not supported.");
}

/// A token id or an array of them; none for a null.
inline std::vector<Token> parse_tokens(const storage::JsonField& field, std::size_t vocab_size) {
  std::vector<Token> tokens;
  const auto read = [&](const storage::JsonField& id) {
    tokens.push_back(static_cast<Token>(id.count(0, vocab_size - 1)));
  };
  if (field.value().is_array()) {
    field.elements(read);
  } else if (!field.is_null()) {
    read(field);
  }
  return tokens;
}

/// Both forms: `rope_theta` with `rope_scaling`, and the `rope_parameters` of transformers 5.
inline RopeConfig parse_rope(const storage::JsonField& config) {
  RopeConfig rope;
  rope.theta = config["rope_theta"].positive(rope.theta);
  const storage::JsonField scaling = config[config["rope_parameters"].is_null() ? "rope_scaling" : "rope_parameters"];
  if (scaling.is_null()) return rope;
  rope.theta = scaling["rope_theta"].positive(rope.theta);
  const storage::JsonField type = scaling[scaling["rope_type"].is_null() ? "type" : "rope_type"];
  rope.type = type.string("default");
  if (rope.type == "default") return rope;
  if (rope.type != "linear" && rope.type != "llama3") type.wrong("default, linear or llama3");
  rope.factor = scaling["factor"].positive();
  if (rope.type == "llama3") {
    rope.low_freq_factor = scaling["low_freq_factor"].positive();
    rope.high_freq_factor = scaling["high_freq_factor"].positive();
    rope.original_context = scaling["original_max_position_embeddings"].positive();
    if (rope.high_freq_factor <= rope.low_freq_factor) {
      scaling["high_freq_factor"].wrong(concat("a number above low_freq_factor, which is ", rope.low_freq_factor));
    }
  }
  return rope;
}

/// A size; the product of two fits into 64 bits.
inline std::size_t parse_size(const storage::JsonField& field) {
  constexpr std::size_t kLargest = std::size_t{1} << 31;
  return field.count(1, kLargest);
}

/// The activation of a gated network: `hidden_act`, and for fatrelu `hidden_act_param`, as ProSparse names it.
inline void parse_activation(const storage::JsonField& config, ModelConfig& model) {
  const std::string name = config["hidden_act"].string("silu");
  for (const auto activation : {kernels::Activation::silu, kernels::Activation::relu, kernels::Activation::relu2,
                                kernels::Activation::fatrelu}) {
    if (kernels::name(activation) != name) continue;
    model.activation = activation;
    if (activation == kernels::Activation::fatrelu) {
      model.activation_threshold = static_cast<float>(config["hidden_act_param"].positive());
    }
    return;
  }
  config["hidden_act"].wrong("silu, relu, relu2 or fatrelu", "Others are not supported.");
}

/// transformers, configuration_llama.py; ProSparse calls the same graph with another activation "sparsellama".
inline void parse_llama(const storage::JsonField& config, ModelConfig& model) {
  model.architecture = "llama";
  parse_activation(config, model);
  require_no(config["attention_bias"]);
  require_no(config["mlp_bias"]);
  model.hidden_dim = parse_size(config["intermediate_size"]);
  model.n_kv_heads =
      config["num_key_value_heads"].is_null() ? model.n_heads : parse_size(config["num_key_value_heads"]);
  if (model.n_heads % model.n_kv_heads != 0) {
    config["num_key_value_heads"].wrong(concat("a divisor of num_attention_heads, which is ", model.n_heads));
  }
  if (!config["head_dim"].is_null()) {
    model.head_dim = parse_size(config["head_dim"]);
    if (model.head_dim % 2 != 0) config["head_dim"].wrong("an even number");
  } else {
    model.head_dim = model.dim / model.n_heads;
    if (model.dim % model.n_heads != 0 || model.head_dim % 2 != 0) {
      config["num_attention_heads"].wrong(concat("heads of an even size in hidden_size, which is ", model.dim));
    }
  }
  model.norm_epsilon = static_cast<float>(config["rms_norm_eps"].positive(1e-6));
  model.rope = parse_rope(config);
  model.tied_embedding = config["tie_word_embeddings"].flag(false);
}

/// transformers, configuration_opt.py and modeling_opt.py (arXiv:2205.01068).
inline void parse_opt(const storage::JsonField& config, ModelConfig& model) {
  if (!config["do_layer_norm_before"].flag(true)) {
    config["do_layer_norm_before"].wrong("true",
                                         "OPT with layer norms behind the sums, as opt-350m, is not supported.");
  }
  if (!config["word_embed_proj_dim"].is_null() && parse_size(config["word_embed_proj_dim"]) != model.dim) {
    config["word_embed_proj_dim"].wrong(concat("hidden_size, which is ", model.dim),
                                        "OPT with projected embeddings, as opt-350m, is not supported.");
  }
  require_no(config["_remove_final_layer_norm"]);
  if (!config["layer_norm_elementwise_affine"].flag(true)) config["layer_norm_elementwise_affine"].wrong("true");
  if (config["activation_function"].string("relu") != "relu") {
    config["activation_function"].wrong("relu", "Others are not supported.");
  }
  model.hidden_dim = parse_size(config["ffn_dim"]);
  model.n_kv_heads = model.n_heads;
  model.head_dim = model.dim / model.n_heads;
  if (model.dim % model.n_heads != 0) {
    config["num_attention_heads"].wrong(concat("a divisor of hidden_size, which is ", model.dim));
  }
  model.norm = NormKind::layer;
  model.norm_epsilon = 1e-5f;
  model.position = PositionKind::learned;
  model.position_offset = 2;  // rows that fairseq kept for padding
  model.activation = kernels::Activation::relu;
  model.gated = false;
  model.attention_bias = model.ffn_bias = config["enable_bias"].flag(true);
  model.tied_embedding = config["tie_word_embeddings"].flag(true);
}

}  // namespace detail

FLASHLM_INLINE ModelConfig ModelConfig::parse(std::string_view text, const std::string& path,
                                              std::string_view generation, const std::string& generation_path) {
  constexpr std::size_t kMostLayers = 65536;
  const storage::Json document = storage::parse_foreign_json(text, "config", path);
  const storage::JsonField config(document, "config", path);
  ModelConfig model;
  model.architecture = config["model_type"].string();
  const bool is_llama = model.architecture == "llama" || model.architecture == "sparsellama";
  if (!is_llama && model.architecture != "opt") {
    config["model_type"].wrong("llama or opt", "This is an unknown architecture.");
  }
  model.dim = detail::parse_size(config["hidden_size"]);
  model.n_layers = config["num_hidden_layers"].count(1, kMostLayers);
  model.n_heads = detail::parse_size(config["num_attention_heads"]);
  model.vocab_size = detail::parse_size(config["vocab_size"]);
  model.max_context = detail::parse_size(config["max_position_embeddings"]);
  is_llama ? detail::parse_llama(config, model) : detail::parse_opt(config, model);
  const std::vector<Token> bos = detail::parse_tokens(config["bos_token_id"], model.vocab_size);
  if (!bos.empty()) model.bos = bos.front();
  if (!generation.empty()) {
    const storage::Json other = storage::parse_foreign_json(generation, "config", generation_path);
    const storage::JsonField eos = storage::JsonField(other, "config", generation_path)["eos_token_id"];
    if (!eos.is_null()) {
      model.eos = detail::parse_tokens(eos, model.vocab_size);
      return model;
    }
  }
  model.eos = detail::parse_tokens(config["eos_token_id"], model.vocab_size);
  return model;
}

FLASHLM_INLINE ModelConfig ModelConfig::open(const std::filesystem::path& folder) {
  const std::string path = (folder / "config.json").string();
  const std::string generation = (folder / "generation_config.json").string();
  const std::string text = std::filesystem::exists(generation) ? storage::read_text(generation) : std::string();
  return parse(storage::read_text(path), path, text, generation);
}

}  // namespace flashlm::inline FLASHLM_ABI::model
