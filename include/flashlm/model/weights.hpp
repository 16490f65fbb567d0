// SPDX-License-Identifier: Apache-2.0
/// weights.hpp: the weights that stay in DRAM: embedding, attention, norms, head.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/model/config.hpp"
#include "flashlm/sparse/sparse_ffn.hpp"
#include "flashlm/storage/safetensors.hpp"

namespace flashlm::inline v0::model {

/// What a norm multiplies with and adds.
struct NormWeights {
  std::span<const float> weight;  // [dim]
  std::span<const float> bias;    // [dim]; empty for NormKind::rms
};

/// The resident weights of one layer; views into Weights. Biases are empty where the config says that there are none.
struct LayerWeights {
  NormWeights attention_norm;
  MatrixView query;                    // [n_heads * head_dim, dim]
  MatrixView key;                      // [n_kv_heads * head_dim, dim]
  MatrixView value;                    // [n_kv_heads * head_dim, dim]
  MatrixView output;                   // [dim, n_heads * head_dim]
  std::span<const float> query_bias;   // [n_heads * head_dim]
  std::span<const float> key_bias;     // [n_kv_heads * head_dim]
  std::span<const float> value_bias;   // [n_kv_heads * head_dim]
  std::span<const float> output_bias;  // [dim]
  NormWeights ffn_norm;
  sparse::FfnParameters ffn;
  std::span<const float> down_bias;  // [dim]
};

/// Everything of resident.safetensors, in anonymous memory. Immutable. Thread-safe.
class Weights {
 public:
  /// Reads the file and checks every tensor against `config`; on_progress(done, total) counts bytes, may throw.
  ///
  /// Throws IoError, or FormatError for a missing tensor, a wrong shape or a dtype that no kernel knows.
  static Weights open(const std::filesystem::path& path, const ModelConfig& config,
                      const std::function<void(std::size_t, std::size_t)>& on_progress = {}) {
    const storage::Safetensors tensors = storage::Safetensors::open(path);
    Weights weights;
    weights.data_ = AlignedBuffer(tensors.size() - tensors.header_bytes());
    const storage::File file = storage::File::open(path, storage::FileMode::direct);
    for (std::size_t at = 0; at < weights.data_.size(); at += kReadBytes) {
      const std::size_t count = std::min(kReadBytes, weights.data_.size() - at);
      file.read(tensors.header_bytes() + at, weights.data_.bytes().subspan(at, count));
      if (on_progress) on_progress(at + count, weights.data_.size());
    }
    weights.bind(tensors, config);
    return weights;
  }

  const MatrixView& embedding() const noexcept { return embedding_; }  // [vocab_size, dim]
  const MatrixView& positions() const noexcept { return positions_; }  // learned: [rows, dim]; else empty
  const NormWeights& final_norm() const noexcept { return final_norm_; }
  const MatrixView& head() const noexcept { return head_; }                      // [vocab_size, dim]
  const LayerWeights& layer(std::size_t index) const { return layers_[index]; }  // index < n_layers
  /// Bytes held.
  std::size_t bytes() const noexcept { return data_.size(); }

 private:
  static constexpr std::size_t kReadBytes = 8u << 20;  // between two calls of on_progress

  void bind(const storage::Safetensors& tensors, const ModelConfig& config) {
    const Binder find{tensors, data_};
    const std::size_t query_dim = config.n_heads * config.head_dim;
    const std::size_t kv_dim = config.n_kv_heads * config.head_dim;
    embedding_ = find.matrix("embedding", config.vocab_size, config.dim);
    if (config.position == PositionKind::learned) {
      positions_ = find.matrix("positions", config.max_context + config.position_offset, config.dim);
    }
    final_norm_ = find.norm("final_norm", config);
    head_ = config.tied_embedding ? embedding_ : find.matrix("head", config.vocab_size, config.dim);
    for (std::size_t index = 0; index < config.n_layers; ++index) {
      const std::string layer = concat("layers.", index, ".");
      const auto bias = [&](bool is_there, const char* name, std::size_t n) {
        return is_there ? find.vector(layer + name, n) : std::span<const float>();
      };
      layers_.push_back({.attention_norm = find.norm(layer + "attention_norm", config),
                         .query = find.matrix(layer + "q", query_dim, config.dim),
                         .key = find.matrix(layer + "k", kv_dim, config.dim),
                         .value = find.matrix(layer + "v", kv_dim, config.dim),
                         .output = find.matrix(layer + "o", config.dim, query_dim),
                         .query_bias = bias(config.attention_bias, "q_bias", query_dim),
                         .key_bias = bias(config.attention_bias, "k_bias", kv_dim),
                         .value_bias = bias(config.attention_bias, "v_bias", kv_dim),
                         .output_bias = bias(config.attention_bias, "o_bias", config.dim),
                         .ffn_norm = find.norm(layer + "ffn_norm", config),
                         .ffn = {.activation = config.activation,
                                 .threshold = config.activation_threshold,
                                 .up_bias = bias(config.ffn_bias, "up_bias", config.hidden_dim)},
                         .down_bias = bias(config.ffn_bias, "down_bias", config.dim)});
    }
  }

  struct Binder {
    const storage::Safetensors& tensors;
    const AlignedBuffer& data;

    const std::byte* checked(const std::string& tensor, const std::vector<std::uint64_t>& shape) const {
      const storage::TensorInfo& info = tensors.at(tensor);
      if (info.shape != shape) {
        throw FormatError(concat("[weights] shape: expected ", text(shape), ", got ", text(info.shape), " (",
                                 tensors.file().path().string(), ", ", tensor,
                                 "). Does config.json belong to these weights?"));
      }
      return data.data() + (info.extent.offset - tensors.header_bytes());
    }

    MatrixView matrix(const std::string& tensor, std::size_t rows, std::size_t cols) const {
      const std::byte* at = checked(tensor, {rows, cols});
      const DType dtype = storage::parse_tag(tensors.at(tensor).dtype);
      if (dtype != DType::f32 && dtype != DType::f16) {
        throw FormatError(concat("[weights] dtype: expected F32 or F16, got ", tensors.at(tensor).dtype, " (",
                                 tensors.file().path().string(), ", ", tensor, ")"));
      }
      return MatrixView::dense(at, dtype, rows, cols);
    }

    std::span<const float> vector(const std::string& tensor, std::size_t n) const {
      const std::byte* at = checked(tensor, {n});
      if (tensors.at(tensor).dtype != "F32" || reinterpret_cast<std::uintptr_t>(at) % alignof(float) != 0) {
        throw FormatError(concat("[weights] vector: expected aligned F32, got ", tensors.at(tensor).dtype, " (",
                                 tensors.file().path().string(), ", ", tensor, ")"));
      }
      return {reinterpret_cast<const float*>(at), n};
    }

    NormWeights norm(const std::string& tensor, const ModelConfig& config) const {
      const bool has_bias = config.norm == NormKind::layer;
      return {vector(tensor, config.dim), has_bias ? vector(tensor + "_bias", config.dim) : std::span<const float>()};
    }

    static std::string text(const std::vector<std::uint64_t>& shape) {
      std::string out = "[";
      for (std::size_t at = 0; at < shape.size(); ++at) out += concat(at ? ", " : "", shape[at]);
      return out + "]";
    }
  };

  AlignedBuffer data_;  // the file's data section
  MatrixView embedding_;
  MatrixView positions_;
  NormWeights final_norm_;
  MatrixView head_;
  std::vector<LayerWeights> layers_;  // [n_layers]
};

}  // namespace flashlm::inline v0::model
