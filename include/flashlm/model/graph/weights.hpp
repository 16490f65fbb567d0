// SPDX-License-Identifier: Apache-2.0
/// weights.hpp: the weights that are no bundles: what stays in DRAM, and where the rest is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/tiles.hpp"
#include "flashlm/model/graph/spec.hpp"
#include "flashlm/model/graph/tensors.hpp"
#include "flashlm/storage/format/safetensors.hpp"
#include "flashlm/storage/io/extent.hpp"
#include "flashlm/units/ffn/sparse_ffn.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// A matrix that may be in DRAM, on flash, or a part here and a part there: its place.
///
/// Its bytes are handed out in units: rows, or, of a quantised matrix of a layer, strips of 32 rows
/// in tiles. Embedding and head have rows in any format: one is looked up, and the other sees
/// activations that are not rounded.
struct Matrix {
  DType dtype = DType::f32;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::uint32_t file = 0;   // of those that Weights was opened with
  storage::Extent extent;   // in it
  std::size_t segment = 0;  // of a pass
  bool tiled = false;
  bool transposed = false;  // rows are columns of the matrix in the model

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
  std::span<const float> weight;  // [n]
  std::span<const float> bias;    // [n], or empty
};

/// The weights of attention. What the spec says is not there is empty.
struct AttentionWeights {
  Matrix query;                        // [heads * head_dim, dim]
  Matrix key;                          // [kv_heads * head_dim, dim]
  Matrix value;                        // [kv_heads * value_dim, dim]
  Matrix output;                       // [dim, heads * value_dim]
  std::span<const float> query_bias;   // [heads * head_dim]
  std::span<const float> key_bias;     // [kv_heads * head_dim]
  std::span<const float> value_bias;   // [kv_heads * value_dim]
  std::span<const float> output_bias;  // [dim]
  NormWeights query_norm;              // [head_dim], or of the whole row
  NormWeights key_norm;
};

/// The weights of a feed-forward network. Of one whose neurons lie in bundles, there are no
/// matrices here.
struct FfnWeights {
  Matrix gate;  // [hidden, dim], or empty
  Matrix up;    // [hidden, dim]
  Matrix down;  // [dim, hidden] in tiles, else transposed
  units::FfnParameters parameters;
  std::span<const float> down_bias;  // [dim]
};

/// The weights of a part: those of what it does, and of the norms around it.
struct PartWeights {
  NormWeights before;
  NormWeights after;
  AttentionWeights attention;
  FfnWeights ffn;
};

/// The weights of a layer. Vectors are views into Weights.
struct LayerWeights {
  std::vector<PartWeights> parts;        // [n_parts]
  std::vector<NormWeights> group_after;  // [n_groups]
  std::span<const float> output_scale;   // [1]
};

/// What the weight files hold beside bundles: the places of the matrices that a budget may leave on
/// flash, and everything else, which is small and always in DRAM. Immutable. Thread-safe.
class Weights {
 public:
  /// Reads what always stays, and checks every tensor of `files` (one or more) against `tensors`,
  /// the list of `spec`; without neurons where these lie in bundles.
  ///
  /// Throws IoError, or FormatError for a tensor that is missing, left over or there twice, a wrong
  /// shape or a dtype that no kernel knows.
  static Weights open(std::span<const std::filesystem::path> files, const ModelSpec& spec,
                      std::span<const GraphTensor> tensors);

  const Matrix& embedding() const noexcept { return embedding_; }      // [vocab_size, dim]
  const MatrixView& positions() const noexcept { return positions_; }  // [rows, dim], or empty
  const NormWeights& final_norm() const noexcept { return final_norm_; }
  const Matrix& head() const noexcept { return head_; }  // [vocab_size, dim]
  std::span<const float> head_bias() const noexcept {
    return head_bias_;
  }  // [vocab_size], or empty
  const LayerWeights& layer(std::size_t index) const { return layers_[index]; }  // index < n_layers
  /// All matrices that a budget may leave on flash, in the order of a pass.
  const std::vector<Matrix>& matrices() const noexcept { return matrices_; }
  /// Bytes held.
  std::size_t bytes() const noexcept { return data_.size(); }
  /// Keeps what is held out of swap. Throws IoError where a limit forbids it.
  void lock() const { MemoryLock::lock(data_.data(), data_.size()); }

 private:
  static std::size_t aligned(std::uint64_t bytes) {
    return round_up(static_cast<std::size_t>(bytes), 64);
  }

  /// Puts a tensor of file number `index` where the graph looks for it. `data`: of one that always
  /// stays.
  void bind(const storage::Safetensors& file, std::uint32_t index, const ModelSpec& spec,
            const GraphTensor& tensor, const std::byte* data);

  AlignedBuffer data_;  // tensors that always stay
  std::vector<Matrix> matrices_;
  Matrix embedding_;
  MatrixView positions_;
  NormWeights final_norm_;
  Matrix head_;
  std::span<const float> head_bias_;
  std::vector<LayerWeights> layers_;  // [n_layers]
};

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/graph/weights.ipp"
#endif
