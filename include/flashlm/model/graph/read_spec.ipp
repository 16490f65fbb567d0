// SPDX-License-Identifier: Apache-2.0
/// read_spec.ipp: the bodies of read_spec.hpp.
#pragma once

#include "flashlm/model/graph/read_spec.hpp"

#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/json.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

namespace detail {

using storage::JsonField;

/// A size; the product of two fits into 63 bits.
inline std::size_t read_size(const JsonField& field) {
  constexpr std::size_t kLargest = std::size_t{1} << 31;
  return field.count(1, kLargest);
}

inline float read_positive(const JsonField& field) {
  const float value = static_cast<float>(field.positive());
  if (!std::isfinite(value) || value == 0) field.wrong("a number above 0 that fits into float32");
  return value;
}

inline float read_positive(const JsonField& field, float fallback) {
  return field.is_null() ? fallback : read_positive(field);
}

/// One of some words, each with what it stands for.
template <class Value, std::size_t N>
Value read_word(const JsonField& field, const std::pair<std::string_view, Value> (&words)[N]) {
  const std::string& text = field.string();
  std::string known;
  for (std::size_t at = 0; at < N; ++at) {
    if (text == words[at].first) return words[at].second;
    known += concat(at == 0 ? "" : at + 1 == N ? " or " : ", ", words[at].first);
  }
  field.wrong(known);
}

inline NormSpec read_norm(const JsonField& fields) {
  fields.only({"kind", "epsilon", "weight", "bias"});
  NormSpec norm;
  norm.kind = read_word<NormKind>(fields["kind"], {{"rms", NormKind::rms}, {"layer", NormKind::layer}});
  norm.epsilon = read_positive(fields["epsilon"]);
  norm.weight = fields["weight"].flag(true);
  norm.bias = fields["bias"].flag(false);
  return norm;
}

inline std::optional<NormSpec> read_optional_norm(const JsonField& fields) {
  if (fields.is_null()) return std::nullopt;
  return read_norm(fields);
}

inline std::vector<float> read_frequencies(const JsonField& field, std::size_t dims) {
  if (field.array_size() != dims / 2) field.refuse(concat("expected ", dims / 2, " numbers, got ", field.array_size()));
  std::vector<float> frequencies;
  field.elements([&](const JsonField& one) {
    const float frequency = static_cast<float>(one.number());
    if (!(frequency >= 0) || !std::isfinite(frequency)) one.wrong("radians, 0 or more");
    frequencies.push_back(frequency);
  });
  return frequencies;
}

inline RopeSpec read_rope(const JsonField& fields, std::size_t head_dim) {
  fields.only({"layout", "dims", "frequencies", "attention_factor", "by_context"});
  RopeSpec rope;
  rope.layout = read_word<RopeLayout>(fields["layout"], {{"halves", RopeLayout::halves}, {"pairs", RopeLayout::pairs}});
  rope.dims = fields["dims"].count(2, head_dim);
  if (rope.dims % 2 != 0) fields["dims"].wrong("an even number");
  rope.frequencies = read_frequencies(fields["frequencies"], rope.dims);
  rope.attention_factor = read_positive(fields["attention_factor"], 1);
  if (const JsonField by = fields["by_context"]; !by.is_null()) {
    by.only({"original_context", "frequencies", "attention_factor"});
    rope.by_context = LongRope{read_size(by["original_context"]), read_frequencies(by["frequencies"], rope.dims),
                               read_positive(by["attention_factor"], 1)};
  }
  return rope;
}

inline std::optional<HeadNormSpec> read_head_norm(const JsonField& fields) {
  if (fields.is_null()) return std::nullopt;
  fields.only({"norm", "over", "place", "factor"});
  HeadNormSpec head;
  head.norm = read_norm(fields["norm"]);
  head.over = read_word<NormOver>(fields["over"], {{"head", NormOver::head}, {"whole", NormOver::whole}});
  if (!fields["place"].is_null()) {
    head.place = read_word<NormPlace>(fields["place"],
                                      {{"before_rope", NormPlace::before_rope}, {"after_rope", NormPlace::after_rope}});
  }
  head.factor = read_positive(fields["factor"], 1);
  return head;
}

inline AttentionSpec read_attention(const JsonField& fields) {
  fields.only({"heads", "kv_heads", "head_dim", "value_dim", "scale", "rope", "window", "softcap", "sinks", "bias",
               "q_norm", "k_norm", "v_norm", "clip", "query_scale", "value", "output_gate", "shares_kv_of"});
  AttentionSpec attention;
  attention.heads = read_size(fields["heads"]);
  attention.kv_heads = read_size(fields["kv_heads"]);
  attention.head_dim = read_size(fields["head_dim"]);
  attention.value_dim = fields["value_dim"].is_null() ? attention.head_dim : read_size(fields["value_dim"]);
  if (attention.heads % attention.kv_heads != 0) {
    fields["kv_heads"].wrong(concat("a divisor of heads, which is ", attention.heads));
  }
  attention.scale = read_positive(fields["scale"]);
  if (!fields["rope"].is_null()) attention.rope = read_rope(fields["rope"], attention.head_dim);
  attention.window = fields["window"].is_null() ? 0 : read_size(fields["window"]);
  attention.softcap = read_positive(fields["softcap"], 0);
  attention.sinks = fields["sinks"].flag(false);
  if (const JsonField bias = fields["bias"]; !bias.is_null()) {
    bias.only({"q", "k", "v", "o"});
    attention.bias = {bias["q"].flag(false), bias["k"].flag(false), bias["v"].flag(false), bias["o"].flag(false)};
  }
  attention.q_norm = read_head_norm(fields["q_norm"]);
  attention.k_norm = read_head_norm(fields["k_norm"]);
  attention.v_norm = read_head_norm(fields["v_norm"]);
  if (const JsonField scale = fields["query_scale"]; !scale.is_null()) {
    scale.only({"beta", "original"});
    attention.query_scale = QueryScale{read_positive(scale["beta"]), read_size(scale["original"])};
  }
  attention.clip = read_positive(fields["clip"], 0);
  if (!fields["output_gate"].is_null()) {
    attention.output_gate = read_word<OutputGate>(
        fields["output_gate"], {{"separate", OutputGate::separate}, {"with_query", OutputGate::with_query}});
  }
  if (!fields["value"].is_null()) {
    attention.value = read_word<ValueSource>(fields["value"], {{"own", ValueSource::own}, {"key", ValueSource::key}});
  }
  if (!fields["shares_kv_of"].is_null()) attention.shares_kv_of = fields["shares_kv_of"].count(0, 1u << 16);
  return attention;
}

inline FfnSpec read_ffn(const JsonField& fields) {
  using kernels::Activation;
  fields.only({"hidden", "gated", "activation", "threshold", "alpha", "limit", "bias", "output_gate"});
  FfnSpec ffn;
  ffn.hidden = read_size(fields["hidden"]);
  ffn.gated = fields["gated"].flag();
  const JsonField activation = fields["activation"];
  const std::optional<Activation> known = kernels::activation_of(activation.string());
  if (!known) activation.wrong(kernels::activation_names());
  ffn.activation = *known;
  const auto number = [&](const char* key, bool needed) {
    if (!needed && !fields[key].is_null()) fields[key].refuse(concat("is not for ", activation.string()));
    return needed ? read_positive(fields[key]) : 0.0f;
  };
  ffn.threshold = number("threshold", ffn.activation == Activation::fatrelu);
  ffn.alpha = number("alpha", ffn.activation == Activation::clamped_swiglu);
  ffn.limit = number("limit", ffn.activation == Activation::clamped_swiglu);
  if (const JsonField bias = fields["bias"]; !bias.is_null()) {
    bias.only({"gate", "up", "down"});
    ffn.bias = {bias["gate"].flag(false), bias["up"].flag(false), bias["down"].flag(false)};
    if (ffn.bias.gate && !ffn.gated) bias["gate"].wrong("false, since there is no gate");
  }
  ffn.output_gate = fields["output_gate"].flag(false);
  return ffn;
}

inline RouterSpec read_router(const JsonField& fields, std::size_t n_experts) {
  fields.only({"reads", "norm", "scores", "bias", "selection_bias", "groups", "weights", "renormalise", "epsilon",
               "scale", "expert_scale"});
  RouterSpec router;
  router.reads_layer_input =
      !fields["reads"].is_null() && read_word<bool>(fields["reads"], {{"part", false}, {"layer_input", true}});
  router.norm = read_optional_norm(fields["norm"]);
  router.scores = read_word<RouterScores>(fields["scores"],
                                          {{"softmax", RouterScores::softmax}, {"sigmoid", RouterScores::sigmoid}});
  router.bias = fields["bias"].flag(false);
  router.selection_bias = fields["selection_bias"].flag(false);
  if (const JsonField groups = fields["groups"]; !groups.is_null()) {
    groups.only({"n", "keep"});
    router.groups = RouterGroups{read_size(groups["n"]), read_size(groups["keep"])};
    if (n_experts % router.groups->n != 0) groups["n"].wrong(concat("a divisor of the experts, ", n_experts));
    if (router.groups->keep > router.groups->n) groups["keep"].wrong(concat("at most n, ", router.groups->n));
  }
  router.weights = read_word<RouterWeights>(
      fields["weights"], {{"of_all", RouterWeights::of_all}, {"of_chosen", RouterWeights::of_chosen}});
  router.renormalise = fields["renormalise"].flag(false);
  router.epsilon = read_positive(fields["epsilon"], 0);
  router.scale = read_positive(fields["scale"], 1);
  router.expert_scale = fields["expert_scale"].flag(false);
  return router;
}

inline ExpertsSpec read_experts(const JsonField& fields) {
  fields.only({"n", "top_k", "expert", "router"});
  ExpertsSpec experts;
  experts.n = read_size(fields["n"]);
  experts.top_k = fields["top_k"].count(1, experts.n);
  experts.expert = read_ffn(fields["expert"]);
  experts.router = read_router(fields["router"], experts.n);
  return experts;
}

/// What a part does, from the one field that says it.
inline void read_work(const JsonField& fields, PartSpec& part) {
  constexpr std::pair<std::string_view, PartKind> kKinds[] = {{"attention", PartKind::attention},
                                                              {"ffn", PartKind::ffn},
                                                              {"experts", PartKind::experts},
                                                              {"cross", PartKind::cross},
                                                              {"delta", PartKind::delta},
                                                              {"convolution", PartKind::convolution},
                                                              {"state_space", PartKind::state_space}};
  part.does = read_word(fields["does"], kKinds);
  switch (part.does) {
    case PartKind::attention: part.attention = read_attention(fields["attention"]); break;
    case PartKind::ffn: part.ffn = read_ffn(fields["ffn"]); break;
    case PartKind::experts: part.experts = read_experts(fields["experts"]); break;
    case PartKind::cross: part.attention = read_attention(fields["cross"]); break;
    case PartKind::delta:
    case PartKind::convolution:
    case PartKind::state_space: break;  // require_runs refuses them; they have no numbers yet
  }
  for (const auto& [word, kind] : kKinds) {
    if (kind != part.does && !fields[word].is_null()) {
      fields[word].refuse(concat("is not for a part that does ", fields["does"].string()));
    }
  }
}

inline Reads read_reads(const JsonField& field, std::size_t index) {
  if (field.is_null()) return {};
  if (!field.value().is_object()) {
    return {
        read_word<Reads::From>(field, {{"residual", Reads::From::residual}, {"layer_input", Reads::From::layer_input}}),
        0};
  }
  field.only({"norm_of"});
  if (index == 0) field.refuse("the first part has no part before it");
  return {Reads::From::norm_of, field["norm_of"].count(0, index - 1)};
}

inline LayerSpec read_layer(const JsonField& fields) {
  constexpr std::size_t kMostParts = 16;
  fields.only({"parts", "group_after", "output_scale"});
  LayerSpec layer;
  layer.output_scale = fields["output_scale"].flag(false);
  const JsonField parts = fields["parts"];
  if (const std::size_t n = parts.array_size(); n == 0 || n > kMostParts) {
    parts.refuse(concat("expected 1 to ", kMostParts, " parts, got ", n));
  }
  parts.elements([&](const JsonField& one) {
    one.only({"does", "attention", "ffn", "experts", "cross", "delta", "convolution", "state_space", "reads", "before",
              "after", "group", "residual_scale"});
    PartSpec part;
    const std::size_t last = layer.parts.empty() ? 0 : layer.parts.back().group;
    part.group = one["group"].is_null() ? 0 : one["group"].count(0, kMostParts);
    if (part.group < last || part.group > last + (layer.parts.empty() ? 0 : 1)) {
      one["group"].wrong(concat("the group of the part before or the next, from 0: ", last, " or ", last + 1));
    }
    read_work(one, part);
    part.reads = read_reads(one["reads"], layer.parts.size());
    part.before = read_optional_norm(one["before"]);
    part.after = read_optional_norm(one["after"]);
    part.residual_scale = one["residual_scale"].is_null() ? 1 : static_cast<float>(one["residual_scale"].number());
    if (part.reads.from == Reads::From::norm_of) {
      const PartSpec& source = layer.parts[part.reads.part];
      if (!source.before) one["reads"].refuse(concat("part ", part.reads.part, " has no norm before it"));
      if (source.group != part.group) one["reads"].refuse("expected a part of the same group");
      if (part.before) one["before"].refuse("is not for a part that reads a norm");
    }
    layer.parts.push_back(std::move(part));
  });
  layer.group_after.resize(layer.parts.back().group + 1);
  if (const JsonField after = fields["group_after"]; !after.is_null()) {
    if (after.array_size() != layer.group_after.size()) {
      after.refuse(concat("expected ", layer.group_after.size(), " norms or nulls, got ", after.array_size()));
    }
    for (std::size_t at = 0; at < layer.group_after.size(); ++at) {
      layer.group_after[at] = read_optional_norm(after.at(at));
    }
  }
  return layer;
}

inline StackSpec read_stack(const JsonField& fields) {
  constexpr std::size_t kMostLayers = 65536;
  fields.only({"kind", "layer_kinds", "layers"});
  StackSpec stack;
  stack.kind = read_word<StackKind>(fields["kind"], {{"decoder", StackKind::decoder}, {"encoder", StackKind::encoder}});
  fields["layer_kinds"].elements([&](const JsonField& kind) { stack.kinds.push_back(read_layer(kind)); });
  const JsonField layers = fields["layers"];
  if (const std::size_t n = layers.array_size(); n == 0 || n > kMostLayers) {
    layers.refuse(concat("expected 1 to ", kMostLayers, " layers, got ", n));
  }
  if (stack.kinds.empty()) fields["layer_kinds"].refuse("expected one layer or more");
  layers.elements([&](const JsonField& one) { stack.layers.push_back(one.count(0, stack.kinds.size() - 1)); });
  return stack;
}

inline EmbeddingSpec read_embedding(const JsonField& fields) {
  EmbeddingSpec embedding;
  if (fields.is_null()) return embedding;
  fields.only({"scale", "norm", "positions"});
  embedding.scale = read_positive(fields["scale"], 1);
  embedding.norm = read_optional_norm(fields["norm"]);
  if (const JsonField positions = fields["positions"]; !positions.is_null()) {
    positions.only({"rows", "offset"});
    embedding.positions = PositionTable{read_size(positions["rows"]), positions["offset"].count(0, 1u << 16)};
  }
  return embedding;
}

inline HeadSpec read_head(const JsonField& fields) {
  fields.only({"tied", "bias", "scale", "softcap"});
  HeadSpec head;
  head.tied = fields["tied"].flag();
  head.bias = fields["bias"].flag(false);
  head.scale = read_positive(fields["scale"], 1);
  head.softcap = read_positive(fields["softcap"], 0);
  return head;
}

}  // namespace detail

FLASHLM_INLINE ModelSpec read_spec(const storage::JsonValue& json, std::string_view file) {
  const storage::JsonField fields(json, "graph", file);
  fields.only({"dim", "vocab_size", "max_context", "embedding", "stacks", "final_norm", "head"});
  ModelSpec spec;
  spec.dim = detail::read_size(fields["dim"]);
  spec.vocab_size = detail::read_size(fields["vocab_size"]);
  spec.max_context = detail::read_size(fields["max_context"]);
  spec.embedding = detail::read_embedding(fields["embedding"]);
  if (const auto& positions = spec.embedding.positions;
      positions && positions->rows < spec.max_context + positions->offset) {
    fields["embedding"]["positions"]["rows"].wrong(
        concat("max_context and offset together, ", spec.max_context + positions->offset, ", or more"));
  }
  fields["stacks"].elements([&](const storage::JsonField& one) { spec.stacks.push_back(detail::read_stack(one)); });
  if (spec.stacks.empty() || spec.stacks.back().kind != StackKind::decoder) {
    fields["stacks"].refuse("expected a decoder as the last stack");
  }
  spec.final_norm = detail::read_norm(fields["final_norm"]);
  spec.head = detail::read_head(fields["head"]);
  return spec;
}

FLASHLM_INLINE ModelSpec parse_spec(std::string_view text, std::string_view file) {
  const storage::Json json = storage::parse_json(text, "graph", file);
  return read_spec(json, file);
}

}  // namespace flashlm::inline FLASHLM_ABI::model
