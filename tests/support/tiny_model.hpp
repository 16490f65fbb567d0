// SPDX-License-Identifier: Apache-2.0
/// tiny_model.hpp: a seeded random model in a temporary folder, made in milliseconds.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/kernels/convert.hpp"
#include "flashlm/kernels/tiling.hpp"
#include "flashlm/storage/bundle_layout.hpp"
#include "flashlm/storage/manifest.hpp"
#include "flashlm/storage/safetensors.hpp"
#include "flashlm/storage/safetensors_writer.hpp"
#include "flashlm/text/bpe.hpp"
#include "flashlm/text/utf8.hpp"
#include "support/model_folder.hpp"
#include "support/temp_folder.hpp"

namespace support {

/// The shape of a tiny model. The defaults are odd on purpose: the last bundle is not full.
struct TinyShape {
  std::size_t dim = 24;
  std::size_t hidden_dim = 150;
  std::size_t n_layers = 3;
  std::size_t n_heads = 4;
  std::size_t n_kv_heads = 2;
  std::size_t head_dim = 6;
  std::size_t context = 96;
  std::size_t neurons_per_bundle = 32;
  flashlm::DType dtype = flashlm::DType::f32;
  bool tied = true;
  std::uint64_t seed = 1;
  std::string architecture = "llama";
  std::string activation = "silu";  // of llama
  float threshold = 0;              // of fatrelu

  bool is_opt() const { return architecture == "opt"; }

  /// A tiny OPT: no grouped heads, one neuron a bundle.
  static TinyShape opt() {
    TinyShape shape;
    shape.architecture = "opt";
    shape.n_kv_heads = shape.n_heads;
    shape.neurons_per_bundle = 1;
    return shape;
  }

  /// One token a byte, then the end of a text.
  static constexpr std::size_t kVocabSize = 257;
  static constexpr flashlm::Token kEnd = 256;

  /// `shape` in another number format; with the nearest sizes of whole blocks where it has blocks.
  static TinyShape of(flashlm::DType dtype) { return of(dtype, TinyShape()); }
  static TinyShape of(flashlm::DType dtype, TinyShape shape) {
    shape.dtype = dtype;
    if (!flashlm::is_block(dtype)) return shape;
    shape.dim = 64;
    shape.hidden_dim = shape.is_opt() ? 320 : 160;  // OPT's resident part is larger, and has to fit into half a model
    shape.head_dim = 16;
    shape.neurons_per_bundle = 32;
    return shape;
  }
};

/// A row-major matrix of float32, already rounded to the model's number format.
struct Matrix {
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::vector<float> values;
  float at(std::size_t row, std::size_t col) const { return values[row * cols + col]; }
};

/// The weights of a tiny model by name: those of resident.safetensors, and layers.N.{gate,up,down}.
using TinyWeights = std::map<std::string, Matrix>;

inline TinyWeights make_tiny_weights(const TinyShape& shape) {
  flashlm::Random random(shape.seed);
  const auto matrix = [&](std::size_t rows, std::size_t cols, float size) {
    Matrix made{rows, cols, std::vector<float>(rows * cols)};
    for (float& value : made.values) value = random.uniform(-size, size);
    std::vector<std::byte> rounded(flashlm::row_bytes(shape.dtype, made.values.size()));
    flashlm::kernels::from_f32(made.values, shape.dtype, rounded.data());
    flashlm::kernels::to_f32(shape.dtype, rounded.data(), made.values);
    return made;
  };
  const auto norm = [&] {
    Matrix made{1, shape.dim, std::vector<float>(shape.dim)};
    for (float& value : made.values) value = random.uniform(0.5f, 1.5f);
    return made;
  };
  const auto bias = [&](std::size_t n) {
    Matrix made{1, n, std::vector<float>(n)};
    for (float& value : made.values) value = random.uniform(-0.3f, 0.3f);
    return made;
  };
  const float size = 1.5f / std::sqrt(static_cast<float>(shape.dim));
  TinyWeights weights;
  weights["embedding"] = matrix(TinyShape::kVocabSize, shape.dim, 1);
  weights["final_norm"] = norm();
  if (!shape.tied) weights["head"] = matrix(TinyShape::kVocabSize, shape.dim, size);
  for (std::size_t layer = 0; layer < shape.n_layers; ++layer) {
    const std::string prefix = flashlm::concat("layers.", layer, ".");
    weights[prefix + "attention_norm"] = norm();
    weights[prefix + "q"] = matrix(shape.n_heads * shape.head_dim, shape.dim, size);
    weights[prefix + "k"] = matrix(shape.n_kv_heads * shape.head_dim, shape.dim, size);
    weights[prefix + "v"] = matrix(shape.n_kv_heads * shape.head_dim, shape.dim, size);
    weights[prefix + "o"] = matrix(shape.dim, shape.n_heads * shape.head_dim, size);
    weights[prefix + "ffn_norm"] = norm();
    if (!shape.is_opt()) weights[prefix + "gate"] = matrix(shape.hidden_dim, shape.dim, size);
    weights[prefix + "up"] = matrix(shape.hidden_dim, shape.dim, size);
    weights[prefix + "down"] = matrix(shape.dim, shape.hidden_dim, size);
    if (!shape.is_opt()) continue;
    for (const char* name : {"q", "k", "v", "o", "attention_norm", "ffn_norm", "down"}) {
      weights[prefix + name + "_bias"] = bias(shape.dim);
    }
    weights[prefix + "up_bias"] = bias(shape.hidden_dim);
  }
  if (shape.is_opt()) {
    weights["positions"] = matrix(shape.context + 2, shape.dim, 1);
    weights["final_norm_bias"] = bias(shape.dim);
  }
  return weights;
}

inline nlohmann::json tiny_tokenizer() {
  nlohmann::json vocab;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    std::string letter;
    flashlm::text::append_utf8(letter, flashlm::text::detail::kByteAlphabet[byte]);
    vocab[letter] = byte;
  }
  return {{"version", "1.0"},
          {"added_tokens",
           {{{"id", TinyShape::kEnd},
             {"content", "<|end|>"},
             {"single_word", false},
             {"lstrip", false},
             {"rstrip", false},
             {"normalized", false},
             {"special", true}}}},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", nlohmann::json::array()}}}};
}

inline nlohmann::json tiny_config(const TinyShape& shape) {
  if (shape.is_opt()) {
    return {{"model_type", "opt"},
            {"hidden_size", shape.dim},
            {"ffn_dim", shape.hidden_dim},
            {"num_hidden_layers", shape.n_layers},
            {"num_attention_heads", shape.n_heads},
            {"vocab_size", TinyShape::kVocabSize},
            {"max_position_embeddings", shape.context},
            {"do_layer_norm_before", true},
            {"word_embed_proj_dim", shape.dim},
            {"activation_function", "relu"},
            {"tie_word_embeddings", shape.tied},
            {"eos_token_id", TinyShape::kEnd}};
  }
  nlohmann::json config = {{"model_type", "llama"},
                           {"hidden_size", shape.dim},
                           {"intermediate_size", shape.hidden_dim},
                           {"num_hidden_layers", shape.n_layers},
                           {"num_attention_heads", shape.n_heads},
                           {"num_key_value_heads", shape.n_kv_heads},
                           {"head_dim", shape.head_dim},
                           {"vocab_size", TinyShape::kVocabSize},
                           {"max_position_embeddings", shape.context},
                           {"rms_norm_eps", 1e-5},
                           {"rope_theta", 10000.0},
                           {"hidden_act", shape.activation},
                           {"tie_word_embeddings", shape.tied},
                           {"eos_token_id", TinyShape::kEnd}};
  if (shape.activation == "fatrelu") config["hidden_act_param"] = shape.threshold;
  return config;
}

inline std::vector<std::byte> stored(const Matrix& matrix, flashlm::DType dtype) {
  std::vector<std::byte> bytes(flashlm::row_bytes(dtype, matrix.values.size()));
  flashlm::kernels::from_f32(matrix.values, dtype, bytes.data());
  return bytes;
}

inline Matrix transposed(const Matrix& matrix) {
  Matrix result{matrix.cols, matrix.rows, std::vector<float>(matrix.values.size())};
  for (std::size_t row = 0; row < matrix.rows; ++row) {
    for (std::size_t col = 0; col < matrix.cols; ++col) result.values[col * matrix.rows + row] = matrix.at(row, col);
  }
  return result;
}

/// Writes a packed folder and returns its path.
inline std::filesystem::path write_tiny_model(const std::filesystem::path& folder, const TinyShape& shape,
                                              const TinyWeights& weights) {
  using namespace flashlm::storage;
  std::filesystem::create_directories(folder);
  Manifest manifest;
  manifest.architecture = shape.architecture;
  manifest.dtype = std::string(name(shape.dtype));
  manifest.files.push_back(put_small(folder, "config.json", tiny_config(shape).dump()));
  manifest.files.push_back(put_small(folder, "tokenizer.json", tiny_tokenizer().dump()));

  std::vector<TensorSpec> specs;
  const auto is_neuron = [](const std::string& name) {
    return name.ends_with(".gate") || name.ends_with(".up") || name.ends_with(".down");
  };
  const auto is_vector = [](const std::string& name) { return name.ends_with("norm") || name.ends_with("_bias"); };
  // A quantised matrix of a layer is in tiles.
  const auto is_tiled = [&](const std::string& name) {
    return flashlm::is_block(shape.dtype) && !is_vector(name) && name.starts_with("layers.");
  };
  std::map<std::string, std::string> metadata;
  for (const auto& [name, matrix] : weights) {
    if (is_neuron(name)) continue;
    if (is_vector(name)) {
      specs.push_back({name, flashlm::DType::f32, {matrix.cols}});
    } else if (is_tiled(name)) {
      specs.push_back(
          {name, flashlm::DType::u8, {flashlm::n_strips(matrix.rows), flashlm::strip_bytes(shape.dtype, matrix.cols)}});
      metadata[number_format_key(name)] = flashlm::name(shape.dtype);
    } else {
      specs.push_back({name, shape.dtype, {matrix.rows, matrix.cols}});
    }
  }
  SafetensorsWriter resident(folder / "resident.safetensors", specs, metadata);
  for (const std::string& name : resident.order()) {
    const flashlm::DType dtype = is_vector(name) ? flashlm::DType::f32 : shape.dtype;
    const Matrix& matrix = weights.at(name);
    std::vector<std::byte> bytes = stored(matrix, dtype);
    if (is_tiled(name)) {
      const auto rows = flashlm::MatrixView::dense(bytes.data(), dtype, matrix.rows, matrix.cols);
      std::vector<std::byte> tiles(flashlm::tiles_bytes(dtype, matrix.rows, matrix.cols));
      flashlm::kernels::to_tiles(rows, tiles.data());
      bytes = std::move(tiles);
    }
    resident.write(name, bytes);
  }
  manifest.files.push_back(resident.finish());

  const BundleLayout layout =
      BundleLayout::make(shape.hidden_dim, shape.neurons_per_bundle, shape.dim, !shape.is_opt(), shape.dtype);
  for (std::size_t layer = 0; layer < shape.n_layers; ++layer) {
    const std::string prefix = flashlm::concat("layers.", layer, ".");
    std::vector<std::byte> gate;
    if (layout.gated) gate = stored(weights.at(prefix + "gate"), shape.dtype);
    const Matrix& down = weights.at(prefix + "down");
    put_neurons(folder,
                {layout, gate, stored(weights.at(prefix + "up"), shape.dtype),
                 stored(flashlm::is_block(shape.dtype) ? down : transposed(down), shape.dtype)},
                manifest);
  }
  manifest.save(folder);
  return folder;
}

/// A packed tiny model in a folder of its own, with its weights at hand.
struct TinyModel {
  explicit TinyModel(const TinyShape& wanted = {}) : shape(wanted), weights(make_tiny_weights(wanted)) {
    write_tiny_model(path(), shape, weights);
  }
  std::filesystem::path path() const { return folder.path() / "tiny.flash"; }

  TinyShape shape;
  TinyWeights weights;
  TempFolder folder;
};

/// Replaces config.json and its record in the manifest, as a packer with a bug would.
inline void replace_config(const TinyModel& tiny, const nlohmann::json& config) {
  flashlm::storage::Manifest manifest = flashlm::storage::Manifest::open(tiny.path());
  for (flashlm::storage::FileRecord& file : manifest.files) {
    if (file.name == "config.json") file = put_small(tiny.path(), "config.json", config.dump());
  }
  manifest.save(tiny.path());
}

}  // namespace support
