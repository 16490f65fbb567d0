// SPDX-License-Identifier: Apache-2.0
/// weights.hpp: embedding, attention, norms and head: what stays in DRAM, and where the rest is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/tiles.hpp"
#include "flashlm/model/config.hpp"
#include "flashlm/sparse/sparse_ffn.hpp"
#include "flashlm/storage/extent.hpp"
#include "flashlm/storage/safetensors.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

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
  MatrixView view(const std::byte* data, std::size_t n_rows) const noexcept;
  /// Rows of a tiled matrix that are in DRAM.
  TilesView tiles(const std::byte* data, std::size_t n_rows) const noexcept;
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
  static Weights open(const std::filesystem::path& path, const ModelConfig& config);

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
  static bool may_stay_on_flash(const std::string& tensor);

  static std::size_t aligned(std::uint64_t bytes) { return round_up(static_cast<std::size_t>(bytes), 64); }

  void bind(const storage::Safetensors& tensors, const ModelConfig& config);

  struct Binder {
    const storage::Safetensors& tensors;
    const AlignedBuffer& data;
    const std::map<std::string, std::size_t>& places;  // in data

    /// The tensor, after its shape in the file has been compared.
    const storage::TensorInfo& checked(const std::string& tensor, const std::vector<std::uint64_t>& shape) const;

    /// A matrix of a layer, in tiles if it is quantised.
    Matrix matrix(const std::string& tensor, std::size_t rows, std::size_t cols, std::size_t segment) const;

    /// A matrix that is not.
    Matrix rows(const std::string& tensor, std::size_t rows, std::size_t cols, std::size_t segment) const;

    DType number_format(const std::string& tensor, std::size_t cols) const;

    Matrix find(const std::string& tensor, std::size_t rows, std::size_t cols, std::size_t segment, bool tiled) const;

    /// A matrix that always stays.
    MatrixView table(const std::string& tensor, std::size_t n_rows, std::size_t cols) const;

    std::span<const float> vector(const std::string& tensor, std::size_t n) const;

    NormWeights norm(const std::string& tensor, const ModelConfig& config) const;

    static std::string text(const std::vector<std::uint64_t>& shape);
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

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/weights.ipp"
#endif
