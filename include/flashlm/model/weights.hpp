// SPDX-License-Identifier: Apache-2.0
/// weights.hpp: embedding, attention, norms and head: what stays in DRAM, and where the rest is.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/tiles.hpp"
#include "flashlm/model/config.hpp"
#include "flashlm/sparse/sparse_ffn.hpp"
#include "flashlm/storage/extent.hpp"
#include "flashlm/storage/safetensors.hpp"

namespace flashlm::inline v0::model {

/// A matrix that may be in DRAM, on flash, or a part here and a part there: its place.
///
/// Its bytes are handed out in units: rows, or, of a quantised matrix of a layer, strips of 32 rows in tiles. Embedding
/// and head have rows in any format: one is looked up, and the other sees activations that are not rounded.
struct Matrix {
  DType dtype = DType::f32;
  std::size_t rows = 0;
  std::size_t cols = 0;
  storage::Extent extent;   // in resident.safetensors
  std::size_t segment = 0;  // of a pass
  bool tiled = false;

  std::size_t rows_per_unit() const noexcept { return tiled ? kTileRows : 1; }
  std::size_t n_units() const noexcept { return tiled ? n_strips(rows) : rows; }
  std::size_t unit_bytes() const noexcept { return rows_per_unit() * row_bytes(dtype, cols); }
  /// Rows that are in DRAM; not of a tiled matrix.
  MatrixView view(const std::byte* data, std::size_t n_rows) const noexcept {
    return MatrixView::dense(data, dtype, n_rows, cols);
  }
  /// Rows of a tiled matrix that are in DRAM.
  TilesView tiles(const std::byte* data, std::size_t n_rows) const noexcept {
    return TilesView::dense(data, dtype, n_rows, cols);
  }
};

/// What a norm multiplies with and adds.
struct NormWeights {
  std::span<const float> weight;  // [dim]
  std::span<const float> bias;    // [dim]; empty for NormKind::rms
};

/// The weights of one layer beside its neurons. Vectors are views into Weights; biases are empty where the config says
/// that there are none.
struct LayerWeights {
  NormWeights attention_norm;
  Matrix query;                        // [n_heads * head_dim, dim]
  Matrix key;                          // [n_kv_heads * head_dim, dim]
  Matrix value;                        // [n_kv_heads * head_dim, dim]
  Matrix output;                       // [dim, n_heads * head_dim]
  std::span<const float> query_bias;   // [n_heads * head_dim]
  std::span<const float> key_bias;     // [n_kv_heads * head_dim]
  std::span<const float> value_bias;   // [n_kv_heads * head_dim]
  std::span<const float> output_bias;  // [dim]
  NormWeights ffn_norm;
  sparse::FfnParameters ffn;
  std::span<const float> down_bias;  // [dim]
};

/// What resident.safetensors holds: the places of the matrices that a budget may leave on flash (attention, head and
/// embedding), and everything else, which is small and always in DRAM. Immutable. Thread-safe.
class Weights {
 public:
  /// Segments of a layer in the order of a pass: its attention, then its neurons.
  enum Segment : std::size_t { kQuery, kValue, kKey, kOutput, kNeurons, kPerLayer };

  /// Reads what always stays, and checks every tensor against `config`.
  ///
  /// Throws IoError, or FormatError for a missing tensor, a wrong shape or a dtype that no kernel knows.
  static Weights open(const std::filesystem::path& path, const ModelConfig& config) {
    const storage::Safetensors tensors = storage::Safetensors::open(path);
    Weights weights;
    const auto is_kept = [](const storage::TensorInfo& tensor) { return !may_stay_on_flash(tensor.name); };
    for (const storage::TensorInfo& tensor : tensors.tensors()) {
      if (is_kept(tensor)) weights.at_[tensor.name] = weights.bytes_, weights.bytes_ += aligned(tensor.extent.bytes);
    }
    weights.data_ = AlignedBuffer(weights.bytes_);
    for (const storage::TensorInfo& tensor : tensors.tensors()) {
      if (!is_kept(tensor)) continue;
      tensors.file().read(tensor.extent.offset,
                          weights.data_.bytes().subspan(weights.at_[tensor.name], tensor.extent.bytes));
    }
    weights.bind(tensors, config);
    return weights;
  }

  const Matrix& embedding() const noexcept { return embedding_; }      // [vocab_size, dim]
  const MatrixView& positions() const noexcept { return positions_; }  // learned: [rows, dim]; else empty
  const NormWeights& final_norm() const noexcept { return final_norm_; }
  const Matrix& head() const noexcept { return head_; }                          // [vocab_size, dim]
  const LayerWeights& layer(std::size_t index) const { return layers_[index]; }  // index < n_layers
  /// Bytes held.
  std::size_t bytes() const noexcept { return data_.size(); }
  /// Keeps what is held out of swap. Throws IoError where a limit forbids it.
  void lock() const { MemoryLock::lock(data_.data(), data_.size()); }

 private:
  /// Embedding, head, and query, key, value and output of a layer.
  static bool may_stay_on_flash(const std::string& tensor) {
    if (tensor == "embedding" || tensor == "head") return true;
    if (!tensor.starts_with("layers.")) return false;
    const std::string last = tensor.substr(tensor.rfind('.') + 1);
    return last == "q" || last == "k" || last == "v" || last == "o";
  }

  static std::size_t aligned(std::uint64_t bytes) { return round_up(static_cast<std::size_t>(bytes), 64); }

  void bind(const storage::Safetensors& tensors, const ModelConfig& config) {
    const Binder find{tensors, data_, at_};
    const std::size_t head = kPerLayer * config.n_layers;
    const std::size_t query_dim = config.n_heads * config.head_dim;
    const std::size_t kv_dim = config.n_kv_heads * config.head_dim;
    embedding_ = find.rows("embedding", config.vocab_size, config.dim, head + (config.tied_embedding ? 0 : 1));
    if (config.position == PositionKind::learned) {
      positions_ = find.table("positions", config.max_context + config.position_offset, config.dim);
    }
    final_norm_ = find.norm("final_norm", config);
    head_ = config.tied_embedding ? embedding_ : find.rows("head", config.vocab_size, config.dim, head);
    for (std::size_t index = 0; index < config.n_layers; ++index) {
      const std::string layer = concat("layers.", index, ".");
      const std::size_t first = kPerLayer * index;
      const auto bias = [&](bool is_there, const char* name, std::size_t n) {
        return is_there ? find.vector(layer + name, n) : std::span<const float>();
      };
      layers_.push_back({.attention_norm = find.norm(layer + "attention_norm", config),
                         .query = find.matrix(layer + "q", query_dim, config.dim, first + kQuery),
                         .key = find.matrix(layer + "k", kv_dim, config.dim, first + kKey),
                         .value = find.matrix(layer + "v", kv_dim, config.dim, first + kValue),
                         .output = find.matrix(layer + "o", config.dim, query_dim, first + kOutput),
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
    const std::map<std::string, std::size_t>& places;  // in data

    /// The tensor, after its shape in the file has been compared.
    const storage::TensorInfo& checked(const std::string& tensor, const std::vector<std::uint64_t>& shape) const {
      const storage::TensorInfo& info = tensors.at(tensor);
      if (info.shape == shape) return info;
      throw FormatError(concat("[weights] shape: expected ", text(shape), ", got ", text(info.shape), " (",
                               tensors.file().path().string(), ", ", tensor,
                               "). Does config.json belong to these weights?"));
    }

    /// A matrix of a layer, in tiles if it is quantised.
    Matrix matrix(const std::string& tensor, std::size_t rows, std::size_t cols, std::size_t segment) const {
      return find(tensor, rows, cols, segment, is_block(number_format(tensor, cols)));
    }

    /// A matrix that is not.
    Matrix rows(const std::string& tensor, std::size_t rows, std::size_t cols, std::size_t segment) const {
      return find(tensor, rows, cols, segment, false);
    }

    DType number_format(const std::string& tensor, std::size_t cols) const {
      const DType dtype = storage::number_format(tensors, tensor);
      if (dtype == DType::u8 || (is_block(dtype) && cols % kBlockNumbers != 0)) {
        throw FormatError(concat("[weights] dtype: expected F32, F16, BF16, or U8 with blocks of ", kBlockNumbers,
                                 " numbers, got ", name(dtype), " with rows of ", cols, " (",
                                 tensors.file().path().string(), ", ", tensor, ")"));
      }
      return dtype;
    }

    Matrix find(const std::string& tensor, std::size_t rows, std::size_t cols, std::size_t segment, bool tiled) const {
      Matrix matrix{number_format(tensor, cols), rows, cols, {}, segment, tiled};
      // Blocks are bytes in the file.
      const bool bytes = is_block(matrix.dtype);
      matrix.extent = checked(tensor, {matrix.n_units(), bytes ? matrix.unit_bytes() : cols}).extent;
      return matrix;
    }

    /// A matrix that always stays.
    MatrixView table(const std::string& tensor, std::size_t n_rows, std::size_t cols) const {
      return rows(tensor, n_rows, cols, 0).view(data.data() + places.at(tensor), n_rows);
    }

    std::span<const float> vector(const std::string& tensor, std::size_t n) const {
      if (checked(tensor, {n}).dtype != "F32") {
        throw FormatError(concat("[weights] vector: expected F32, got ", tensors.at(tensor).dtype, " (",
                                 tensors.file().path().string(), ", ", tensor, ")"));
      }
      return {reinterpret_cast<const float*>(data.data() + places.at(tensor)), n};
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

  AlignedBuffer data_;  // tensors that always stay
  std::map<std::string, std::size_t> at_;
  std::size_t bytes_ = 0;
  Matrix embedding_;
  MatrixView positions_;
  NormWeights final_norm_;
  Matrix head_;
  std::vector<LayerWeights> layers_;  // [n_layers]
};

}  // namespace flashlm::inline v0::model
