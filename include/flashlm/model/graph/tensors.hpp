// SPDX-License-Identifier: Apache-2.0
/// tensors.hpp: the one list of a model's weights: names, shapes, what each is, and its place in a
/// pass.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "flashlm/model/graph/spec.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// What a tensor is in the graph. Of a norm there are up to two: its weight, and its bias.
enum class TensorRole {
  embedding,
  positions,
  embedding_norm,
  final_norm,
  head,
  head_bias,  // of the model
  before,
  after,  // norms of a part
  query,
  key,
  value,
  output,
  output_gate,  // matrices of attention
  query_bias,
  key_bias,
  value_bias,
  output_bias,
  query_norm,
  key_norm,
  value_norm,
  sinks,
  gate,
  up,
  down,
  gate_bias,
  up_bias,
  down_bias,
  ffn_gate,  // of a feed-forward network
  router,
  router_bias,
  selection_bias,
  router_norm,
  expert_scale,  // of a mixture
  group_after,
  output_scale  // of a layer
};

/// How a tensor is kept.
enum class TensorKind {
  vector,   // f32, always in DRAM
  table,    // rows, always in DRAM
  rows,     // rows asked for by token id
  matrix,   // passes by; tiles where quantised
  neurons,  // a matrix of a feed-forward network: passes by as it is, down with a row a neuron
            // where it has no tiles; or bundled by neuron
  head      // passes by last, in rows
};

/// One tensor.
struct GraphTensor {
  std::string name;
  std::vector<std::size_t> shape;  // [n] or [rows, columns], as in the model
  TensorRole role = TensorRole::embedding;
  TensorKind kind = TensorKind::vector;
  bool is_bias = false;                // of a norm
  std::size_t layer = 0;               // of what belongs to one
  std::size_t part = 0;                // of the layer; the group of group_after
  std::optional<std::size_t> segment;  // its place in a pass; absent for what always stays in DRAM
};

/// All tensors of `spec`, in the order in which a pass uses them.
///
/// Segments count from 0 in that order: each matrix is one, the head is the last that every pass
/// needs, and an embedding of its own comes behind it. Where networks are `bundled`, the matrices
/// of each are one segment together. Names are those of the files of a packed folder
/// (docs/format.md). Throws FormatError for a part that has no tensors yet (require_runs).
std::vector<GraphTensor> tensors(const ModelSpec& spec, bool bundled = false);

/// "matrix", "vector", ...
const char* name(TensorKind kind) noexcept;

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/graph/tensors.ipp"
#endif
