// SPDX-License-Identifier: Apache-2.0
/// config.hpp: the numbers that define a model, read from config.json in Hugging Face form.
#pragma once

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/storage/file.hpp"

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

/// One JSON object of a config file: every look-up checks kind and range, and names the file in its error.
class ConfigReader {
 public:
  ConfigReader(nlohmann::json object, std::string path) : object_(std::move(object)), path_(std::move(path)) {
    if (!object_.is_object()) throw FormatError(concat("[config] file: expected a JSON object (", path_, ")"));
  }

  static ConfigReader parse(std::string_view text, const std::string& path) {
    nlohmann::json object = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (object.is_discarded()) throw FormatError(concat("[config] file: expected JSON (", path, ")"));
    return {std::move(object), path};
  }

  bool has(const char* key) const { return object_.contains(key) && !object_[key].is_null(); }

  ConfigReader object(const char* key) const { return {object_[key], path_}; }

  std::size_t count(const char* key, std::optional<std::size_t> fallback = std::nullopt,
                    std::size_t most = std::size_t{1} << 31) const {
    if (!has(key) && fallback) return *fallback;
    const nlohmann::json& value = at(key);
    if (!value.is_number_integer() || value.get<double>() < 1 || value.get<double>() > static_cast<double>(most)) {
      throw FormatError(concat("[config] ", key, ": expected a whole number from 1 to ", most, ", got ", value.dump(),
                               " (", path_, ")"));
    }
    return value.get<std::size_t>();
  }

  double number(const char* key, std::optional<double> fallback = std::nullopt) const {
    if (!has(key) && fallback) return *fallback;
    const nlohmann::json& value = at(key);
    if (!value.is_number() || !std::isfinite(value.get<double>()) || value.get<double>() <= 0) {
      throw FormatError(concat("[config] ", key, ": expected a number above 0, got ", value.dump(), " (", path_, ")"));
    }
    return value.get<double>();
  }

  bool flag(const char* key, bool fallback) const {
    if (!has(key)) return fallback;
    if (!object_[key].is_boolean()) {
      throw FormatError(
          concat("[config] ", key, ": expected true or false, got ", object_[key].dump(), " (", path_, ")"));
    }
    return object_[key].get<bool>();
  }

  std::string word(const char* key, std::string_view fallback) const {
    if (!has(key)) return std::string(fallback);
    if (!object_[key].is_string()) {
      throw FormatError(concat("[config] ", key, ": expected a text, got ", object_[key].dump(), " (", path_, ")"));
    }
    return object_[key].get<std::string>();
  }

  /// A token id or a list of them; none when the key is missing.
  std::vector<Token> tokens(const char* key, std::size_t vocab_size) const {
    std::vector<Token> found;
    if (!has(key)) return found;
    const nlohmann::json& value = object_[key];
    for (const nlohmann::json& one : value.is_array() ? value : nlohmann::json::array({value})) {
      if (!one.is_number_integer() || one.get<double>() < 0 || one.get<double>() >= static_cast<double>(vocab_size)) {
        throw FormatError(
            concat("[config] ", key, ": expected ids below ", vocab_size, ", got ", value.dump(), " (", path_, ")"));
      }
      found.push_back(one.get<Token>());
    }
    return found;
  }

  /// Refuses a feature that the graph does not have.
  template <class T>
  void require(const char* key, const T& found, const T& supported) const {
    if (found == supported) return;
    throw FormatError(
        concat("[config] ", key, ": expected ", supported, ", got ", found, ": not supported (", path_, ")"));
  }

 private:
  const nlohmann::json& at(const char* key) const {
    if (!has(key)) throw FormatError(concat("[config] ", key, ": missing (", path_, ")"));
    return object_[key];
  }

  nlohmann::json object_;
  std::string path_;
};

/// Both forms: `rope_theta` with `rope_scaling`, and transformers 5's `rope_parameters`.
inline RopeConfig parse_rope(const ConfigReader& config, const std::string& path) {
  RopeConfig rope;
  const bool modern = config.has("rope_parameters");
  rope.theta = config.number("rope_theta", rope.theta);
  const char* key = modern ? "rope_parameters" : "rope_scaling";
  if (!config.has(key)) return rope;
  const ConfigReader scaling = config.object(key);
  rope.theta = scaling.number("rope_theta", rope.theta);
  rope.type = scaling.word("rope_type", scaling.word("type", "default"));
  if (rope.type == "default") return rope;
  if (rope.type != "linear" && rope.type != "llama3") {
    throw FormatError(
        concat("[config] rope_type: expected default, linear or llama3, got '", rope.type, "' (", path, ")"));
  }
  rope.factor = scaling.number("factor");
  if (rope.type == "llama3") {
    rope.low_freq_factor = scaling.number("low_freq_factor");
    rope.high_freq_factor = scaling.number("high_freq_factor");
    rope.original_context = scaling.number("original_max_position_embeddings");
    if (rope.high_freq_factor <= rope.low_freq_factor) {
      throw FormatError(concat("[config] high_freq_factor: expected above low_freq_factor ", rope.low_freq_factor,
                               ", got ", rope.high_freq_factor, " (", path, ")"));
    }
  }
  return rope;
}

}  // namespace detail

inline ModelConfig ModelConfig::parse(std::string_view text, const std::string& path) {
  const auto config = detail::ConfigReader::parse(text, path);
  const std::string kind = config.word("model_type", "");
  if (kind != "llama") {
    throw FormatError(
        concat("[config] model_type: expected llama, got '", kind, "': unknown architecture (", path, ")"));
  }
  config.require<std::string>("hidden_act", config.word("hidden_act", "silu"), "silu");
  config.require("attention_bias", config.flag("attention_bias", false), false);
  config.require("mlp_bias", config.flag("mlp_bias", false), false);
  ModelConfig model;
  model.architecture = kind;
  model.dim = config.count("hidden_size");
  model.hidden_dim = config.count("intermediate_size");
  model.n_layers = config.count("num_hidden_layers", std::nullopt, 65536);
  model.n_heads = config.count("num_attention_heads");
  model.n_kv_heads = config.count("num_key_value_heads", model.n_heads);
  if (model.n_heads % model.n_kv_heads != 0) {
    throw FormatError(concat("[config] num_key_value_heads: expected a divisor of num_attention_heads ", model.n_heads,
                             ", got ", model.n_kv_heads, " (", path, ")"));
  }
  if (!config.has("head_dim") && model.dim % model.n_heads != 0) {
    throw FormatError(concat("[config] num_attention_heads: expected a divisor of hidden_size ", model.dim, ", got ",
                             model.n_heads, " (", path, ")"));
  }
  model.head_dim = config.count("head_dim", std::max<std::size_t>(1, model.dim / model.n_heads));
  if (model.head_dim % 2 != 0) {
    throw FormatError(concat("[config] head_dim: expected an even number, got ", model.head_dim, " (", path, ")"));
  }
  model.vocab_size = config.count("vocab_size");
  model.max_context = config.count("max_position_embeddings");
  model.norm_epsilon = static_cast<float>(config.number("rms_norm_eps", 1e-6));
  model.rope = detail::parse_rope(config, path);
  model.tied_embedding = config.flag("tie_word_embeddings", false);
  const std::vector<Token> bos = config.tokens("bos_token_id", model.vocab_size);
  if (!bos.empty()) model.bos = bos.front();
  model.eos = config.tokens("eos_token_id", model.vocab_size);
  return model;
}

inline ModelConfig ModelConfig::open(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "config.json";
  ModelConfig model = parse(storage::read_text(path), path.string());
  const std::filesystem::path generation = folder / "generation_config.json";
  if (std::filesystem::exists(generation)) {
    const auto reader = detail::ConfigReader::parse(storage::read_text(generation), generation.string());
    if (reader.has("eos_token_id")) model.eos = reader.tokens("eos_token_id", model.vocab_size);
  }
  return model;
}

}  // namespace flashlm::inline v0::model
