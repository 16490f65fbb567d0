// SPDX-License-Identifier: Apache-2.0
/// weights.ipp: the bodies of weights.hpp.
#pragma once

#include "flashlm/model/graph/weights.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE MatrixView Matrix::view(const std::byte* data, std::size_t n_rows) const noexcept {
  return MatrixView::dense(data, dtype, n_rows, cols);
}

FLASHLM_INLINE TilesView Matrix::tiles(const std::byte* data, std::size_t n_rows) const noexcept {
  return TilesView::dense(data, dtype, n_rows, cols);
}

namespace detail {

/// "[2, 3]".
inline std::string shape_text(std::span<const std::uint64_t> shape) {
  std::string out = "[";
  for (std::size_t at = 0; at < shape.size(); ++at) out += concat(at ? ", " : "", shape[at]);
  return out + "]";
}

/// Compares the shape in the file with that of the graph.
inline const storage::TensorInfo& check_shape(const storage::Safetensors& file,
                                              const std::string& name,
                                              const std::vector<std::uint64_t>& shape) {
  const storage::TensorInfo& info = file.at(name);
  if (info.shape == shape) return info;
  throw FormatError(concat("[weights] shape: expected ", shape_text(shape), ", got ",
                           shape_text(info.shape), " (", file.file().path().string(), ", ", name,
                           "). Does flashlm.json belong to these weights?"));
}

/// A matrix: in tiles if it is quantised and of a layer. A down matrix without tiles has a row a
/// neuron.
inline Matrix read_matrix(const storage::Safetensors& file, const GraphTensor& tensor) {
  const DType dtype = storage::number_format(file, tensor.name);
  const bool transposed = tensor.role == TensorRole::down && !is_block(dtype);
  const std::size_t rows = tensor.shape.at(transposed ? 1 : 0);
  const std::size_t cols = tensor.shape.at(transposed ? 0 : 1);
  const bool bytes = is_block(dtype);  // blocks are bytes in the file
  if (dtype == DType::u8 || cols % format_of(dtype).numbers != 0) {
    throw FormatError(concat("[weights] dtype: expected ", names_of(is_number),
                             " in whole blocks, got ", name(dtype), " with rows of ", cols, " (",
                             file.file().path().string(), ", ", tensor.name, ")"));
  }
  Matrix matrix;
  matrix.dtype = dtype;
  matrix.rows = rows;
  matrix.cols = cols;
  matrix.segment = tensor.segment.value_or(0);
  matrix.tiled = bytes && (tensor.kind == TensorKind::matrix || tensor.kind == TensorKind::neurons);
  matrix.transposed = transposed;
  matrix.extent =
      check_shape(file, tensor.name, {matrix.n_units(), bytes ? matrix.unit_bytes() : cols}).extent;
  return matrix;
}

inline std::span<const float> read_vector(const storage::Safetensors& file,
                                          const GraphTensor& tensor, const std::byte* data) {
  if (check_shape(file, tensor.name, {tensor.shape.at(0)}).dtype != "F32") {
    throw FormatError(concat("[weights] vector: expected F32, got ", file.at(tensor.name).dtype,
                             " (", file.file().path().string(), ", ", tensor.name, ")"));
  }
  return {reinterpret_cast<const float*>(data), tensor.shape.at(0)};
}

/// Throws FormatError for a tensor that the graph has no place for.
inline void refuse_left_over(const storage::Safetensors& file,
                             std::span<const GraphTensor> tensors) {
  std::set<std::string_view> names;
  for (const GraphTensor& tensor : tensors) names.insert(tensor.name);
  for (const storage::TensorInfo& info : file.tensors()) {
    if (!names.contains(info.name)) {
      throw FormatError(concat("[weights] tensor: the graph of flashlm.json has no place for it (",
                               file.file().path().string(), ", ", info.name, ")"));
    }
  }
}

/// Weight files, and which of them has a tensor.
class WeightFiles {
 public:
  WeightFiles(std::span<const std::filesystem::path> paths, std::span<const GraphTensor> tensors) {
    for (const std::filesystem::path& path : paths) {
      files_.push_back(storage::Safetensors::open(path));
      refuse_left_over(files_.back(), tensors);
      for (const storage::TensorInfo& info : files_.back().tensors()) {
        const auto index = static_cast<std::uint32_t>(files_.size() - 1);
        if (const auto [at, is_new] = places_.emplace(info.name, index); !is_new) {
          throw FormatError(concat("[weights] tensor: ", files_[at->second].file().path().string(),
                                   " has it too (", path.string(), ", ", info.name, ")"));
        }
      }
    }
  }

  /// The first file for a tensor that none has: it says so when it is asked.
  std::uint32_t index(const std::string& name) const {
    const auto found = places_.find(name);
    return found == places_.end() ? 0 : found->second;
  }
  const storage::Safetensors& operator[](std::uint32_t index) const { return files_.at(index); }
  const storage::Safetensors& of(const std::string& name) const { return files_.at(index(name)); }

 private:
  std::vector<storage::Safetensors> files_;
  std::map<std::string, std::uint32_t> places_;
};

}  // namespace detail

FLASHLM_INLINE Weights Weights::open(std::span<const std::filesystem::path> paths,
                                     const ModelSpec& spec, std::span<const GraphTensor> tensors) {
  const detail::WeightFiles files(paths, tensors);
  Weights weights;
  const auto is_kept = [](const GraphTensor& tensor) {
    return tensor.kind == TensorKind::vector || tensor.kind == TensorKind::table;
  };
  std::size_t bytes = 0;
  for (const GraphTensor& tensor : tensors) {
    if (is_kept(tensor)) bytes += aligned(files.of(tensor.name).at(tensor.name).extent.bytes);
  }
  weights.data_ = AlignedBuffer(bytes);
  for (std::size_t index = 0; index < spec.n_layers(); ++index) {
    const LayerSpec& layer = spec.layer(index);
    weights.layers_.push_back({std::vector<PartWeights>(layer.parts.size()),
                               std::vector<NormWeights>(layer.group_after.size()),
                               {}});
  }
  std::size_t at = 0;
  for (const GraphTensor& tensor : tensors) {
    const std::uint32_t index = files.index(tensor.name);
    const storage::Safetensors& file = files[index];
    if (is_kept(tensor)) {
      const storage::Extent extent = file.at(tensor.name).extent;
      file.file().read(extent.offset, weights.data_.bytes().subspan(at, extent.bytes));
      weights.bind(file, index, spec, tensor, weights.data_.data() + at);
      at += aligned(extent.bytes);
    } else {
      weights.bind(file, index, spec, tensor, nullptr);
    }
  }
  for (std::size_t index = 0; index < spec.n_layers(); ++index) {
    const LayerSpec& layer = spec.layer(index);
    for (std::size_t part = 0; part < layer.parts.size(); ++part) {
      units::FfnParameters& parameters = weights.layers_[index].parts[part].ffn.parameters;
      parameters.activation = layer.parts[part].ffn.activation;
      parameters.threshold = layer.parts[part].ffn.threshold;
    }
  }
  return weights;
}

FLASHLM_INLINE void Weights::bind(const storage::Safetensors& file, std::uint32_t index,
                                  const ModelSpec& spec, const GraphTensor& tensor,
                                  const std::byte* data) {
  const auto vector = [&] { return detail::read_vector(file, tensor, data); };
  const auto matrix = [&] {
    Matrix& read = matrices_.emplace_back(detail::read_matrix(file, tensor));
    read.file = index;
    return read;
  };
  const auto norm = [&](NormWeights& to) { (tensor.is_bias ? to.bias : to.weight) = vector(); };
  const auto part = [&]() -> PartWeights& { return layers_[tensor.layer].parts[tensor.part]; };
  const auto attention = [&]() -> AttentionWeights& { return part().attention; };
  switch (tensor.role) {
    case TensorRole::embedding:
      embedding_ = matrix();
      if (spec.head.tied) head_ = embedding_;
      return;
    case TensorRole::positions: {
      const Matrix table = detail::read_matrix(file, tensor);
      positions_ = table.view(data, table.rows);
      return;
    }
    case TensorRole::final_norm: return norm(final_norm_);
    case TensorRole::head: head_ = matrix(); return;
    case TensorRole::head_bias: head_bias_ = vector(); return;
    case TensorRole::before: return norm(part().before);
    case TensorRole::after: return norm(part().after);
    case TensorRole::query: attention().query = matrix(); return;
    case TensorRole::key: attention().key = matrix(); return;
    case TensorRole::value: attention().value = matrix(); return;
    case TensorRole::output: attention().output = matrix(); return;
    case TensorRole::query_bias: attention().query_bias = vector(); return;
    case TensorRole::key_bias: attention().key_bias = vector(); return;
    case TensorRole::value_bias: attention().value_bias = vector(); return;
    case TensorRole::output_bias: attention().output_bias = vector(); return;
    case TensorRole::query_norm: return norm(attention().query_norm);
    case TensorRole::key_norm: return norm(attention().key_norm);
    case TensorRole::gate: part().ffn.gate = matrix(); return;
    case TensorRole::up: part().ffn.up = matrix(); return;
    case TensorRole::down: part().ffn.down = matrix(); return;
    case TensorRole::up_bias: part().ffn.parameters.up_bias = vector(); return;
    case TensorRole::down_bias: part().ffn.down_bias = vector(); return;
    case TensorRole::group_after: return norm(layers_[tensor.layer].group_after[tensor.part]);
    case TensorRole::output_scale: layers_[tensor.layer].output_scale = vector(); return;
    case TensorRole::embedding_norm:
    case TensorRole::output_gate:
    case TensorRole::value_norm:
    case TensorRole::sinks:
    case TensorRole::gate_bias:
    case TensorRole::ffn_gate:
    case TensorRole::router:
    case TensorRole::router_bias:
    case TensorRole::selection_bias:
    case TensorRole::router_norm:
    case TensorRole::expert_scale: break;
  }
  FLASHLM_ASSERT(false && "require_runs lets no such tensor through");
}

}  // namespace flashlm::inline FLASHLM_ABI::model
