// SPDX-License-Identifier: Apache-2.0
/// config.hpp: the numbers that define a model, read from config.json in Hugging Face form.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/error.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/storage/file.hpp"
#include "flashlm/storage/json.hpp"

namespace flashlm::inline v0::model {

/// How positions turn into angles (transformers, modeling_rope_utils.py).
struct RopeConfig {
  std::string type = "default";  // default, linear or llama3
  double theta = 10000;          // base of the frequencies
  double factor = 1;             // linear, llama3
  double low_freq_factor = 1;    // llama3
  double high_freq_factor = 4;   // llama3
  double original_context = 0;   // llama3, positions
};

/// The numbers of a Llama-family model.
struct ModelConfig {
  std::string architecture;    // "llama"
  std::size_t dim = 0;         // of the residual stream
  std::size_t hidden_dim = 0;  // neurons a layer
  std::size_t n_layers = 0;
  std::size_t n_heads = 0;     // of queries
  std::size_t n_kv_heads = 0;  // of keys and values; divides n_heads
  std::size_t head_dim = 0;
  std::size_t vocab_size = 0;
  std::size_t max_context = 0;  // positions
  float norm_epsilon = 0;
  RopeConfig rope;
  bool tied_embedding = false;  // the head is the embedding
  std::optional<Token> bos;
  std::vector<Token> eos;  // any of these ends a text

  /// Reads config.json and, where there is one, generation_config.json (which has the last word on eos).
  ///
  /// Throws FormatError for what is missing, out of range or not supported, and names it.
  static ModelConfig open(const std::filesystem::path& folder);

  /// `text` is the content of config.json; `path` stands in messages.
  static ModelConfig parse(std::string_view text, const std::string& path);
};

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

}  // namespace detail

inline ModelConfig ModelConfig::parse(std::string_view text, const std::string& path) {
  constexpr std::size_t kLargest = std::size_t{1} << 31;  // the product of two sizes fits into 64 bits
  constexpr std::size_t kMostLayers = 65536;
  const nlohmann::json document = storage::parse_foreign_json(text, "config", path);
  const storage::JsonField config(document, "config", path);
  const auto size = [&](const char* key) { return config[key].count(1, kLargest); };
  ModelConfig model;
  model.architecture = config["model_type"].string();
  if (model.architecture != "llama") config["model_type"].wrong("llama", "This is an unknown architecture.");
  if (config["hidden_act"].string("silu") != "silu") config["hidden_act"].wrong("silu", "Others are not supported.");
  detail::require_no(config["attention_bias"]);
  detail::require_no(config["mlp_bias"]);
  model.dim = size("hidden_size");
  model.hidden_dim = size("intermediate_size");
  model.n_layers = config["num_hidden_layers"].count(1, kMostLayers);
  model.n_heads = size("num_attention_heads");
  model.n_kv_heads = config["num_key_value_heads"].is_null() ? model.n_heads : size("num_key_value_heads");
  if (model.n_heads % model.n_kv_heads != 0) {
    config["num_key_value_heads"].wrong(concat("a divisor of num_attention_heads, which is ", model.n_heads));
  }
  if (!config["head_dim"].is_null()) {
    model.head_dim = size("head_dim");
    if (model.head_dim % 2 != 0) config["head_dim"].wrong("an even number");
  } else {
    model.head_dim = model.dim / model.n_heads;
    if (model.dim % model.n_heads != 0 || model.head_dim % 2 != 0) {
      config["num_attention_heads"].wrong(concat("heads of an even size in hidden_size, which is ", model.dim));
    }
  }
  model.vocab_size = size("vocab_size");
  model.max_context = size("max_position_embeddings");
  model.norm_epsilon = static_cast<float>(config["rms_norm_eps"].positive(1e-6));
  model.rope = detail::parse_rope(config);
  model.tied_embedding = config["tie_word_embeddings"].flag(false);
  const std::vector<Token> bos = detail::parse_tokens(config["bos_token_id"], model.vocab_size);
  if (!bos.empty()) model.bos = bos.front();
  model.eos = detail::parse_tokens(config["eos_token_id"], model.vocab_size);
  return model;
}

inline ModelConfig ModelConfig::open(const std::filesystem::path& folder) {
  const std::string path = (folder / "config.json").string();
  ModelConfig model = parse(storage::read_text(path), path);
  if (const std::string generation = (folder / "generation_config.json").string();
      std::filesystem::exists(generation)) {
    const nlohmann::json document = storage::parse_foreign_json(storage::read_text(generation), "config", generation);
    const storage::JsonField eos = storage::JsonField(document, "config", generation)["eos_token_id"];
    if (!eos.is_null()) model.eos = detail::parse_tokens(eos, model.vocab_size);
  }
  return model;
}

}  // namespace flashlm::inline v0::model
