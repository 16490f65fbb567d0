// SPDX-License-Identifier: Apache-2.0
/// tiny_model.hpp: a seeded random model in a temporary folder, made in milliseconds.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/compute/cpu/quantise/convert.hpp"
#include "flashlm/compute/cpu/quantise/tiling.hpp"
#include "flashlm/model/graph/read_spec.hpp"
#include "flashlm/model/graph/tensors.hpp"
#include "flashlm/storage/format/bundle_layout.hpp"
#include "flashlm/storage/format/json.hpp"
#include "flashlm/storage/format/manifest.hpp"
#include "flashlm/storage/format/safetensors.hpp"
#include "flashlm/storage/format/safetensors_writer.hpp"
#include "flashlm/text/tokenizer/byte_alphabet.hpp"
#include "flashlm/text/unicode/utf8.hpp"
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
  std::size_t neurons_per_bundle = 0;  // 0: no bundles, the networks are matrices
  flashlm::DType dtype = flashlm::DType::f32;
  bool tied = true;
  std::uint64_t seed = 1;
  std::string family = "llama";     // or "opt": layer norms, biases, positions in a table, no gate
  std::string activation = "silu";  // of llama
  float threshold = 0;              // of fatrelu
  bool qkv_bias = false;            // of llama: qwen2
  bool qk_norm = false;             // of llama, a head: qwen3
  bool parallel = false;            // both parts read the same residual stream: phi, falcon
  bool sandwich = false;            // a norm behind each part too: gemma
  std::size_t rope_dims = 0;        // of a head; 0: all

  bool is_opt() const { return family == "opt"; }

  /// As folders of format 3 have dense models: the neurons in bundles of 32.
  static TinyShape bundled() {
    TinyShape shape;
    shape.neurons_per_bundle = 32;
    return shape;
  }

  /// A tiny OPT: no grouped heads, one neuron a bundle.
  static TinyShape opt() {
    TinyShape shape;
    shape.family = "opt";
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
    shape.hidden_dim =
        shape.is_opt() ? 320
                       : 160;  // OPT's resident part is larger, and has to fit into half a model
    shape.head_dim = 16;
    shape.neurons_per_bundle = shape.neurons_per_bundle > 1 ? flashlm::kBundleNeurons : 0;
    return shape;
  }
};

/// Each architecture, number format and activation.
inline std::vector<TinyShape> tiny_graphs() {
  std::vector<TinyShape> result{TinyShape::opt()};
  for (const flashlm::DType dtype : {flashlm::DType::f32, flashlm::DType::f16, flashlm::DType::bf16,
                                     flashlm::DType::q8_0, flashlm::DType::q4_0}) {
    result.push_back(TinyShape::of(dtype));
  }
  for (const char* activation : {"relu", "relu2", "fatrelu"}) {
    TinyShape shape;
    shape.activation = activation;
    if (shape.activation == "fatrelu") shape.threshold = 0.125f;
    shape.neurons_per_bundle = 1;
    result.push_back(shape);
  }
  for (const flashlm::DType dtype : {flashlm::DType::f32, flashlm::DType::q8_0}) {
    for (const char* feature : {"qkv_bias", "qk_norm", "parallel", "sandwich", "rope_dims"}) {
      TinyShape shape = TinyShape::of(dtype);
      shape.qkv_bias = feature == std::string_view("qkv_bias");
      shape.qk_norm = feature == std::string_view("qk_norm");
      shape.parallel = feature == std::string_view("parallel");
      shape.sandwich = feature == std::string_view("sandwich");
      shape.rope_dims = feature == std::string_view("rope_dims") ? 4 : 0;
      result.push_back(shape);
    }
  }
  return result;
}

/// JSON as the library holds it.
inline flashlm::storage::Json as_stored(const nlohmann::json& json) {
  return flashlm::storage::parse_json(json.dump(), "test", "test");
}

/// A norm as it stands in a graph.
inline nlohmann::json tiny_norm(const TinyShape& shape) {
  if (shape.is_opt()) return {{"kind", "layer"}, {"epsilon", 1e-5}, {"bias", true}};
  return {{"kind", "rms"}, {"epsilon", 1e-5}};
}

/// The graph of a shape, as it stands in flashlm.json.
inline nlohmann::json tiny_graph(const TinyShape& shape) {
  const bool opt = shape.is_opt();
  nlohmann::json attention = {{"heads", shape.n_heads},
                              {"kv_heads", shape.n_kv_heads},
                              {"head_dim", shape.head_dim},
                              {"scale", 1 / std::sqrt(static_cast<double>(shape.head_dim))}};
  nlohmann::json ffn = {{"hidden", shape.hidden_dim},
                        {"gated", !opt},
                        {"activation", opt ? "relu" : shape.activation}};
  if (shape.activation == "fatrelu") ffn["threshold"] = shape.threshold;
  if (opt) {
    attention["bias"] = {{"q", true}, {"k", true}, {"v", true}, {"o", true}};
    ffn["bias"] = {{"up", true}, {"down", true}};
  } else {
    const std::size_t dims = shape.rope_dims == 0 ? shape.head_dim : shape.rope_dims;
    nlohmann::json frequencies = nlohmann::json::array();
    for (std::size_t at = 0; at < dims / 2; ++at) {
      const double exponent = static_cast<double>(2 * at) / static_cast<double>(dims);
      frequencies.push_back(static_cast<float>(1 / std::pow(10000.0, exponent)));
    }
    attention["rope"] = {{"layout", "halves"}, {"dims", dims}, {"frequencies", frequencies}};
    if (shape.qkv_bias) attention["bias"] = {{"q", true}, {"k", true}, {"v", true}};
    const nlohmann::json head_norm = {{"norm", tiny_norm(shape)}, {"over", "head"}};
    if (shape.qk_norm) attention["q_norm"] = attention["k_norm"] = head_norm;
  }
  nlohmann::json first = {
      {"does", "attention"}, {"attention", attention}, {"before", tiny_norm(shape)}};
  nlohmann::json second = {
      {"does", "ffn"}, {"ffn", ffn}, {"before", tiny_norm(shape)}, {"group", 1}};
  if (shape.sandwich) first["after"] = second["after"] = tiny_norm(shape);
  if (shape.parallel) {
    second["group"] = 0;
    second["reads"] = {{"norm_of", 0}};
    second.erase("before");
  }
  nlohmann::json graph = {{"dim", shape.dim},
                          {"vocab_size", TinyShape::kVocabSize},
                          {"max_context", shape.context},
                          {"stacks",
                           {{{"kind", "decoder"},
                             {"layer_kinds", {{{"parts", {first, second}}}}},
                             {"layers", std::vector<int>(shape.n_layers, 0)}}}},
                          {"final_norm", tiny_norm(shape)},
                          {"head", {{"tied", shape.tied}}}};
  if (opt) graph["embedding"] = {{"positions", {{"rows", shape.context + 2}, {"offset", 2}}}};
  return graph;
}

/// The same, read.
inline flashlm::model::ModelSpec tiny_spec(const TinyShape& shape = {}) {
  return flashlm::model::parse_spec(tiny_graph(shape).dump(),
                                    "tiny");  // a parser knows no signed 1
}

/// A row-major matrix of float32, already rounded to the model's number format.
struct Matrix {
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::vector<float> values;
  float at(std::size_t row, std::size_t col) const { return values[row * cols + col]; }
};

/// The weights of a tiny model by name.
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
  // What every family has comes first and in this order: goldens hold the bits of what it gives.
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
  for (const flashlm::model::GraphTensor& tensor : flashlm::model::tensors(tiny_spec(shape))) {
    if (weights.contains(tensor.name)) continue;
    Matrix made{1, tensor.shape.at(0), std::vector<float>(tensor.shape.at(0))};
    const bool is_norm = tensor.name.ends_with("norm");
    for (float& value : made.values)
      value = is_norm ? random.uniform(0.5f, 1.5f) : random.uniform(-0.3f, 0.3f);
    weights[tensor.name] = made;
  }
  if (shape.parallel) {
    for (std::size_t layer = 0; layer < shape.n_layers; ++layer) {
      weights.erase(flashlm::concat("layers.", layer, ".ffn_norm"));
    }
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
  return {
      {"version", "1.0"},
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

inline std::vector<std::byte> stored(const Matrix& matrix, flashlm::DType dtype) {
  std::vector<std::byte> bytes(flashlm::row_bytes(dtype, matrix.values.size()));
  flashlm::kernels::from_f32(matrix.values, dtype, bytes.data());
  return bytes;
}

inline Matrix transposed(const Matrix& matrix) {
  Matrix result{matrix.cols, matrix.rows, std::vector<float>(matrix.values.size())};
  for (std::size_t row = 0; row < matrix.rows; ++row) {
    for (std::size_t col = 0; col < matrix.cols; ++col)
      result.values[col * matrix.rows + row] = matrix.at(row, col);
  }
  return result;
}

/// Writes matrices and vectors as one weight file: a quantised matrix of a layer in tiles.
inline void put_matrices(const std::filesystem::path& path, const TinyWeights& weights,
                         flashlm::DType dtype, flashlm::storage::Manifest& manifest) {
  using namespace flashlm::storage;
  std::vector<TensorSpec> specs;
  const auto is_vector = [](const std::string& name) {
    return name.ends_with("norm") || name.ends_with("_bias");
  };
  const auto is_tiled = [&](const std::string& name) {
    return flashlm::is_block(dtype) && !is_vector(name) && name.starts_with("layers.");
  };
  std::map<std::string, std::string> metadata;
  for (const auto& [name, matrix] : weights) {
    if (is_vector(name)) {
      specs.push_back({name, flashlm::DType::f32, {matrix.cols}});
    } else if (is_tiled(name)) {
      specs.push_back({name,
                       flashlm::DType::u8,
                       {flashlm::n_strips(matrix.rows), flashlm::strip_bytes(dtype, matrix.cols)}});
      metadata[number_format_key(name)] = flashlm::name(dtype);
    } else {
      specs.push_back({name, dtype, {matrix.rows, matrix.cols}});
    }
  }
  SafetensorsWriter writer(path, specs, metadata);
  for (const std::string& name : writer.order()) {
    const flashlm::DType own = is_vector(name) ? flashlm::DType::f32 : dtype;
    const Matrix& matrix = weights.at(name);
    std::vector<std::byte> bytes = stored(matrix, own);
    if (is_tiled(name)) {
      const auto rows = flashlm::MatrixView::dense(bytes.data(), own, matrix.rows, matrix.cols);
      std::vector<std::byte> tiles(flashlm::tiles_bytes(own, matrix.rows, matrix.cols));
      flashlm::kernels::to_tiles(rows, tiles.data());
      bytes = std::move(tiles);
    }
    writer.write(name, bytes);
  }
  manifest.files.push_back(writer.finish());
}

/// Writes a packed folder and returns its path.
inline std::filesystem::path write_tiny_model(const std::filesystem::path& folder,
                                              const TinyShape& shape, const TinyWeights& weights) {
  using namespace flashlm::storage;
  std::filesystem::create_directories(folder);
  Manifest manifest;
  manifest.family = shape.family;
  manifest.graph = as_stored(tiny_graph(shape));
  manifest.eos = {TinyShape::kEnd};
  manifest.dtype = std::string(name(shape.dtype));
  manifest.files.push_back(put_small(folder, "config.json", "{}"));
  manifest.files.push_back(put_small(folder, "tokenizer.json", tiny_tokenizer().dump()));

  TinyWeights resident;
  std::map<std::size_t, TinyWeights> networks;  // of layers
  for (const auto& [name, matrix] : weights) {
    const bool is_neuron =
        name.ends_with(".gate") || name.ends_with(".up") || name.ends_with(".down");
    if (!is_neuron) {
      resident[name] = matrix;
      continue;
    }
    const std::size_t layer = std::stoul(name.substr(std::string("layers.").size()));
    const bool by_row = name.ends_with(".down") && !flashlm::is_block(shape.dtype);
    networks[layer][name] = by_row ? transposed(matrix) : matrix;
  }
  put_matrices(folder / "resident.safetensors", resident, shape.dtype, manifest);
  for (std::size_t layer = 0; layer < shape.n_layers; ++layer) {
    const std::string prefix = flashlm::concat("layers.", layer, ".");
    TinyWeights& network = networks.at(layer);
    if (shape.neurons_per_bundle == 0) {
      put_matrices(folder / flashlm::concat("ffn-", layer, ".safetensors"), network, shape.dtype,
                   manifest);
      continue;
    }
    const BundleLayout layout = BundleLayout::make(shape.hidden_dim, shape.neurons_per_bundle,
                                                   shape.dim, !shape.is_opt(), shape.dtype);
    std::vector<std::byte> gate;
    if (layout.gated) gate = stored(network.at(prefix + "gate"), shape.dtype);
    put_neurons(folder,
                {layout, gate, stored(network.at(prefix + "up"), shape.dtype),
                 stored(network.at(prefix + "down"), shape.dtype)},
                manifest);
  }
  manifest.save(folder);
  return folder;
}

/// A packed tiny model in a folder of its own, with its weights at hand.
struct TinyModel {
  explicit TinyModel(const TinyShape& wanted = {})
      : shape(wanted), weights(make_tiny_weights(wanted)) {
    write_tiny_model(path(), shape, weights);
  }
  std::filesystem::path path() const { return folder.path() / "tiny.flash"; }

  TinyShape shape;
  TinyWeights weights;
  TempFolder folder;
};

/// Replaces the graph of a folder, as a packer with a bug would.
inline void replace_graph(const TinyModel& tiny, const nlohmann::json& graph) {
  flashlm::storage::Manifest manifest = flashlm::storage::Manifest::open(tiny.path());
  manifest.graph = as_stored(graph);
  manifest.save(tiny.path());
}

}  // namespace support
