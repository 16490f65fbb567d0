// SPDX-License-Identifier: Apache-2.0
/// runs.ipp: the bodies of runs.hpp.
#pragma once

#include "flashlm/model/graph/runs.hpp"

#include <string>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

namespace detail {

/// Refuses features by the names of their fields.
struct GraphCheck {
  std::string_view file;
  std::string layer;  // "layer_kinds[1].parts[0]."

  /// `got` describes a value of `field` that is not computed where `is_used`.
  void refuse(bool is_used, std::string_view field, std::string_view expected,
              std::string_view got) const {
    if (!is_used) return;
    throw FormatError(concat("[graph] ", layer, field, ": expected ", expected, ", got ", got, " (",
                             file, "). The engine of this version does not compute the feature."));
  }

  void refuse(bool is_used, std::string_view field) const { refuse(is_used, field, "none", "one"); }

  void attention(const AttentionSpec& spec) const {
    head_norm(spec.q_norm, "attention.q_norm");
    head_norm(spec.k_norm, "attention.k_norm");
    refuse(spec.sinks, "attention.sinks");
    refuse(spec.v_norm.has_value(), "attention.v_norm");
    refuse(spec.query_scale.has_value(), "attention.query_scale");
    refuse(spec.clip != 0, "attention.clip");
    refuse(spec.output_gate != OutputGate::none, "attention.output_gate");
    refuse(spec.value != ValueSource::own, "attention.value", "own", "key");
    refuse(spec.shares_kv_of.has_value(), "attention.shares_kv_of");
    refuse(spec.value_dim != spec.head_dim, "attention.value_dim",
           concat("head_dim, ", spec.head_dim), concat(spec.value_dim));
    if (!spec.rope) return;
    refuse(spec.rope->layout != RopeLayout::halves, "attention.rope.layout", "halves", "pairs");
    refuse(spec.rope->by_context.has_value(), "attention.rope.by_context");
  }

  void ffn(const FfnSpec& spec) const {
    using kernels::Activation;
    const auto got = kernels::name(spec.activation);
    switch (spec.activation) {
      case Activation::silu:
      case Activation::relu:
      case Activation::relu2:
      case Activation::fatrelu:
      case Activation::gelu_erf:
      case Activation::gelu_tanh: break;
      case Activation::clamped_swiglu:
        refuse(true, "ffn.activation", "silu, gelu_erf, gelu_tanh, relu, relu2 or fatrelu", got);
        break;
    }
    refuse(spec.bias.gate, "ffn.bias.gate");
    refuse(spec.output_gate, "ffn.output_gate");
  }

  void norm(const std::optional<NormSpec>& norm, std::string_view field) const {
    if (!norm) return;
    refuse(!norm->weight, concat(field, ".weight"), "true", "false");
    refuse(norm->kind == NormKind::rms && norm->bias, concat(field, ".bias"), "false with rms",
           "true");
    refuse(norm->kind == NormKind::layer && !norm->bias, concat(field, ".bias"), "true with layer",
           "false");
  }

  void head_norm(const std::optional<HeadNormSpec>& head, std::string_view field) const {
    if (head) norm(head->norm, concat(field, ".norm"));
  }

  void part(const PartSpec& part) const {
    refuse(part.reads.from == Reads::From::layer_input && part.group != 0, "reads", "residual",
           "layer_input");
    norm(part.before, "before");
    norm(part.after, "after");
    const auto other = [&](std::string_view got) { refuse(true, "does", "attention or ffn", got); };
    switch (part.does) {
      case PartKind::attention: return attention(part.attention);
      case PartKind::ffn: return ffn(part.ffn);
      case PartKind::experts: return other("experts");
      case PartKind::cross: return other("cross");
      case PartKind::delta: return other("delta");
      case PartKind::convolution: return other("convolution");
      case PartKind::state_space: return other("state_space");
    }
  }
};

/// The one part of a layer that does `kind`. Throws FormatError if there are none or several.
inline const PartSpec& only_part(const LayerSpec& layer, PartKind kind, std::string_view word,
                                 std::size_t index, std::string_view file) {
  const PartSpec* found = nullptr;
  std::size_t n = 0;
  for (const PartSpec& part : layer.parts) {
    if (part.does == kind) found = &part, ++n;
  }
  if (n == 1) return *found;
  throw FormatError(concat("[graph] layer_kinds[", index, "].parts: expected one that does ", word,
                           ", got ", n, " (", file, ")"));
}

}  // namespace detail

FLASHLM_INLINE void require_runs(const ModelSpec& spec, std::string_view file) {
  detail::GraphCheck check{file, ""};
  check.refuse(spec.stacks.size() != 1, "stacks", "one decoder",
               concat(spec.stacks.size(), " stacks"));
  check.refuse(spec.embedding.norm.has_value(), "embedding.norm");
  check.norm(spec.final_norm, "final_norm");
  const StackSpec& stack = spec.decoder();
  const PartSpec* attention = nullptr;
  const PartSpec* ffn = nullptr;
  for (std::size_t index = 0; index < stack.kinds.size(); ++index) {
    const LayerSpec& kind = stack.kinds[index];
    for (std::size_t part = 0; part < kind.parts.size(); ++part) {
      check.layer = concat("layer_kinds[", index, "].parts[", part, "].");
      check.part(kind.parts[part]);
    }
    check.layer = concat("layer_kinds[", index, "].");
    for (const std::optional<NormSpec>& norm : kind.group_after) check.norm(norm, "group_after");
    const PartSpec& other = detail::only_part(kind, PartKind::attention, "attention", index, file);
    if (attention == nullptr) attention = &other;
    const AttentionSpec &first = attention->attention, &mine = other.attention;
    check.refuse(mine.heads != first.heads || mine.kv_heads != first.kv_heads ||
                     mine.head_dim != first.head_dim,
                 "attention", "the heads of the other layers", "another number or size");
    const PartSpec& network = detail::only_part(kind, PartKind::ffn, "ffn", index, file);
    if (ffn == nullptr) ffn = &network;
    check.refuse(network.ffn.activation != ffn->ffn.activation, "ffn.activation",
                 "that of the other layers", kernels::name(network.ffn.activation));
    check.refuse(network.ffn.hidden != ffn->ffn.hidden, "ffn.hidden",
                 concat("that of the other layers, ", ffn->ffn.hidden), concat(network.ffn.hidden));
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::model
