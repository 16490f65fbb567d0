// SPDX-License-Identifier: Apache-2.0
/// weights.ipp: the bodies of weights.hpp.
#pragma once

#include "flashlm/model/weights.hpp"

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE MatrixView Matrix::view(const std::byte* data, std::size_t n_rows) const noexcept {
  return MatrixView::dense(data, dtype, n_rows, cols);
}

FLASHLM_INLINE TilesView Matrix::tiles(const std::byte* data, std::size_t n_rows) const noexcept {
  return TilesView::dense(data, dtype, n_rows, cols);
}

FLASHLM_INLINE Weights Weights::open(const std::filesystem::path& path, const ModelConfig& config) {
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

FLASHLM_INLINE bool Weights::may_stay_on_flash(const std::string& tensor) {
  if (tensor == "embedding" || tensor == "head") return true;
  if (!tensor.starts_with("layers.")) return false;
  const std::string last = tensor.substr(tensor.rfind('.') + 1);
  return last == "q" || last == "k" || last == "v" || last == "o";
}

FLASHLM_INLINE void Weights::bind(const storage::Safetensors& tensors, const ModelConfig& config) {
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

FLASHLM_INLINE const storage::TensorInfo& Weights::Binder::checked(const std::string& tensor,
                                                                   const std::vector<std::uint64_t>& shape) const {
  const storage::TensorInfo& info = tensors.at(tensor);
  if (info.shape == shape) return info;
  throw FormatError(concat("[weights] shape: expected ", text(shape), ", got ", text(info.shape), " (",
                           tensors.file().path().string(), ", ", tensor,
                           "). Does config.json belong to these weights?"));
}

FLASHLM_INLINE Matrix Weights::Binder::matrix(const std::string& tensor, std::size_t rows, std::size_t cols,
                                              std::size_t segment) const {
  return find(tensor, rows, cols, segment, is_block(number_format(tensor, cols)));
}

FLASHLM_INLINE Matrix Weights::Binder::rows(const std::string& tensor, std::size_t rows, std::size_t cols,
                                            std::size_t segment) const {
  return find(tensor, rows, cols, segment, false);
}

FLASHLM_INLINE DType Weights::Binder::number_format(const std::string& tensor, std::size_t cols) const {
  const DType dtype = storage::number_format(tensors, tensor);
  if (dtype == DType::u8 || cols % format_of(dtype).numbers != 0) {
    throw FormatError(concat("[weights] dtype: expected ", names_of(is_number), " in whole blocks, got ", name(dtype),
                             " with rows of ", cols, " (", tensors.file().path().string(), ", ", tensor, ")"));
  }
  return dtype;
}

FLASHLM_INLINE Matrix Weights::Binder::find(const std::string& tensor, std::size_t rows, std::size_t cols,
                                            std::size_t segment, bool tiled) const {
  Matrix matrix{number_format(tensor, cols), rows, cols, {}, segment, tiled};
  // Blocks are bytes in the file.
  const bool bytes = is_block(matrix.dtype);
  matrix.extent = checked(tensor, {matrix.n_units(), bytes ? matrix.unit_bytes() : cols}).extent;
  return matrix;
}

FLASHLM_INLINE MatrixView Weights::Binder::table(const std::string& tensor, std::size_t n_rows,
                                                 std::size_t cols) const {
  return rows(tensor, n_rows, cols, 0).view(data.data() + places.at(tensor), n_rows);
}

FLASHLM_INLINE std::span<const float> Weights::Binder::vector(const std::string& tensor, std::size_t n) const {
  if (checked(tensor, {n}).dtype != "F32") {
    throw FormatError(concat("[weights] vector: expected F32, got ", tensors.at(tensor).dtype, " (",
                             tensors.file().path().string(), ", ", tensor, ")"));
  }
  return {reinterpret_cast<const float*>(data.data() + places.at(tensor)), n};
}

FLASHLM_INLINE NormWeights Weights::Binder::norm(const std::string& tensor, const ModelConfig& config) const {
  const bool has_bias = config.norm == NormKind::layer;
  return {vector(tensor, config.dim), has_bias ? vector(tensor + "_bias", config.dim) : std::span<const float>()};
}

FLASHLM_INLINE std::string Weights::Binder::text(const std::vector<std::uint64_t>& shape) {
  std::string out = "[";
  for (std::size_t at = 0; at < shape.size(); ++at) out += concat(at ? ", " : "", shape[at]);
  return out + "]";
}

}  // namespace flashlm::inline FLASHLM_ABI::model
