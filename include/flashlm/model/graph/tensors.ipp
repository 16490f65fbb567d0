// SPDX-License-Identifier: Apache-2.0
/// tensors.ipp: the bodies of tensors.hpp.
#pragma once

#include "flashlm/model/graph/tensors.hpp"

#include <utility>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

namespace detail {

/// Collects tensors; knows the layer, the part and the next segment.
class TensorList {
 public:
  TensorList(const ModelSpec& spec, bool bundled) : dim_(spec.dim), bundled_(bundled) {}

  void enter(std::size_t layer, std::size_t part, std::string prefix) {
    layer_ = layer;
    part_ = part;
    prefix_ = std::move(prefix);
  }

  void add(const char* name, TensorRole role, TensorKind kind, std::vector<std::size_t> shape,
           std::optional<std::size_t> segment = std::nullopt) {
    list_.push_back({prefix_ + name, std::move(shape), role, kind, false, layer_, part_, segment});
  }

  void vector(bool is_there, const char* name, TensorRole role, std::size_t n) {
    if (is_there) add(name, role, TensorKind::vector, {n});
  }

  void norm(const std::optional<NormSpec>& norm, const std::string& name, TensorRole role,
            std::size_t n) {
    if (!norm) return;
    vector(norm->weight, name.c_str(), role, n);
    vector(norm->bias, (name + "_bias").c_str(), role, n);
    if (norm->bias) list_.back().is_bias = true;
  }

  void matrix(const char* name, TensorRole role, std::size_t rows, std::size_t cols) {
    add(name, role, TensorKind::matrix, {rows, cols}, segment_++);
  }

  void attention(const AttentionSpec& spec) {
    const std::size_t query = spec.heads * spec.head_dim;
    const std::size_t key = spec.kv_heads * spec.head_dim;
    const std::size_t value = spec.kv_heads * spec.value_dim;
    const std::size_t mixed = spec.heads * spec.value_dim;
    const bool has_keys = !spec.shares_kv_of.has_value();
    const bool has_values = has_keys && spec.value == ValueSource::own;
    matrix("q", TensorRole::query, spec.output_gate == OutputGate::with_query ? 2 * query : query,
           dim_);
    vector(spec.bias.query, "q_bias", TensorRole::query_bias, query);
    if (has_values) {
      matrix("v", TensorRole::value, value, dim_);
      vector(spec.bias.value, "v_bias", TensorRole::value_bias, value);
    }
    if (has_keys) {
      matrix("k", TensorRole::key, key, dim_);
      vector(spec.bias.key, "k_bias", TensorRole::key_bias, key);
    }
    const auto head_norm = [&](const std::optional<HeadNormSpec>& head, const char* name,
                               TensorRole role, std::size_t one, std::size_t whole) {
      if (head) norm(head->norm, name, role, head->over == NormOver::head ? one : whole);
    };
    head_norm(spec.q_norm, "q_norm", TensorRole::query_norm, spec.head_dim, query);
    if (has_keys) head_norm(spec.k_norm, "k_norm", TensorRole::key_norm, spec.head_dim, key);
    if (has_keys) head_norm(spec.v_norm, "v_norm", TensorRole::value_norm, spec.value_dim, value);
    vector(spec.sinks, "sinks", TensorRole::sinks, spec.heads);
    if (spec.output_gate == OutputGate::separate)
      matrix("o_gate", TensorRole::output_gate, mixed, dim_);
    matrix("o", TensorRole::output, dim_, mixed);
    vector(spec.bias.output, "o_bias", TensorRole::output_bias, dim_);
  }

  void ffn(const FfnSpec& spec) {
    const auto neurons = [&](const char* name, TensorRole role, std::size_t rows,
                             std::size_t cols) {
      add(name, role, TensorKind::neurons, {rows, cols}, segment_);
      if (!bundled_) ++segment_;
    };
    if (spec.gated) neurons("gate", TensorRole::gate, spec.hidden, dim_);
    neurons("up", TensorRole::up, spec.hidden, dim_);
    neurons("down", TensorRole::down, dim_, spec.hidden);
    if (bundled_) ++segment_;
    vector(spec.bias.gate, "gate_bias", TensorRole::gate_bias, spec.hidden);
    vector(spec.bias.up, "up_bias", TensorRole::up_bias, spec.hidden);
    vector(spec.bias.down, "down_bias", TensorRole::down_bias, dim_);
    vector(spec.output_gate, "ffn_gate", TensorRole::ffn_gate, dim_);
  }

  std::size_t next_segment() noexcept { return segment_++; }

  std::vector<GraphTensor> take() { return std::move(list_); }

 private:
  std::size_t dim_;
  bool bundled_;
  std::vector<GraphTensor> list_;
  std::string prefix_;
  std::size_t layer_ = 0;
  std::size_t part_ = 0;
  std::size_t segment_ = 0;
};

/// "attention" or "ffn": what norms of a part are named after.
inline const char* part_name(PartKind kind) {
  switch (kind) {
    case PartKind::attention: return "attention";
    case PartKind::ffn: return "ffn";
    case PartKind::experts: return "experts";
    case PartKind::cross: return "cross";
    case PartKind::delta: return "delta";
    case PartKind::convolution: return "convolution";
    case PartKind::state_space: return "state_space";
  }
  return "";
}

inline void list_part(const PartSpec& part, std::size_t dim, TensorList& list) {
  const std::string word = part_name(part.does);
  list.norm(part.before, word + "_norm", TensorRole::before, dim);
  switch (part.does) {
    case PartKind::attention: list.attention(part.attention); break;
    case PartKind::ffn: list.ffn(part.ffn); break;
    case PartKind::experts:
    case PartKind::cross:
    case PartKind::delta:
    case PartKind::convolution:
    case PartKind::state_space:
      throw FormatError(concat("[graph] does: expected attention or ffn, got ", word,
                               ". Nothing packs the others yet."));
  }
  list.norm(part.after, word + "_after_norm", TensorRole::after, dim);
}

inline void list_layer(const LayerSpec& layer, std::size_t index, std::size_t dim,
                       TensorList& list) {
  const std::string prefix = concat("layers.", index, ".");
  for (std::size_t at = 0; at < layer.parts.size(); ++at) {
    std::size_t earlier = 0;  // parts that do the same
    for (std::size_t other = 0; other < at; ++other)
      earlier += layer.parts[other].does == layer.parts[at].does;
    list.enter(index, at, earlier == 0 ? prefix : concat(prefix, "part", at, "."));
    list_part(layer.parts[at], dim, list);
    const bool is_last =
        at + 1 == layer.parts.size() || layer.parts[at + 1].group != layer.parts[at].group;
    if (!is_last) continue;
    const std::size_t group = layer.parts[at].group;
    list.enter(index, group, prefix);
    list.norm(layer.group_after[group], concat("group", group, "_norm"), TensorRole::group_after,
              dim);
  }
  list.enter(index, 0, prefix);
  list.vector(layer.output_scale, "output_scale", TensorRole::output_scale, 1);
}

}  // namespace detail

FLASHLM_INLINE std::vector<GraphTensor> tensors(const ModelSpec& spec, bool bundled) {
  detail::TensorList list(spec, bundled);
  if (spec.embedding.positions) {
    list.add("positions", TensorRole::positions, TensorKind::table,
             {spec.embedding.positions->rows, spec.dim});
  }
  list.norm(spec.embedding.norm, "embedding_norm", TensorRole::embedding_norm, spec.dim);
  for (std::size_t index = 0; index < spec.n_layers(); ++index) {
    detail::list_layer(spec.layer(index), index, spec.dim, list);
  }
  list.enter(0, 0, "");
  list.norm(spec.final_norm, "final_norm", TensorRole::final_norm, spec.dim);
  const std::size_t head = list.next_segment();
  if (!spec.head.tied)
    list.add("head", TensorRole::head, TensorKind::head, {spec.vocab_size, spec.dim}, head);
  list.vector(spec.head.bias, "head_bias", TensorRole::head_bias, spec.vocab_size);
  list.add("embedding", TensorRole::embedding, spec.head.tied ? TensorKind::head : TensorKind::rows,
           {spec.vocab_size, spec.dim}, spec.head.tied ? head : list.next_segment());
  return list.take();
}

FLASHLM_INLINE const char* name(TensorKind kind) noexcept {
  switch (kind) {
    case TensorKind::vector: return "vector";
    case TensorKind::table: return "table";
    case TensorKind::rows: return "rows";
    case TensorKind::matrix: return "matrix";
    case TensorKind::neurons: return "neurons";
    case TensorKind::head: return "head";
  }
  return "";
}

}  // namespace flashlm::inline FLASHLM_ABI::model
