// SPDX-License-Identifier: Apache-2.0
/// read_work.ipp: the bodies of read_work.hpp.
#pragma once

#include "flashlm/model/graph/read_work.hpp"

#include <cmath>
#include <vector>

#include "flashlm/compute/cpu/isa/activation_kind.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

namespace detail {

FLASHLM_INLINE std::size_t read_size(const JsonField& field) {
  constexpr std::size_t kLargest = std::size_t{1} << 31;
  return field.count(1, kLargest);
}

FLASHLM_INLINE float read_positive(const JsonField& field) {
  const float value = static_cast<float>(field.positive());
  if (!std::isfinite(value) || value == 0) field.wrong("a number above 0 that fits into float32");
  return value;
}

FLASHLM_INLINE float read_positive(const JsonField& field, float fallback) {
  return field.is_null() ? fallback : read_positive(field);
}

FLASHLM_INLINE NormSpec read_norm(const JsonField& fields) {
  fields.only({"kind", "epsilon", "weight", "bias"});
  NormSpec norm;
  norm.kind =
      read_word<NormKind>(fields["kind"], {{"rms", NormKind::rms}, {"layer", NormKind::layer}});
  norm.epsilon = read_positive(fields["epsilon"]);
  norm.weight = fields["weight"].flag(true);
  norm.bias = fields["bias"].flag(false);
  return norm;
}

FLASHLM_INLINE std::optional<NormSpec> read_optional_norm(const JsonField& fields) {
  if (fields.is_null()) return std::nullopt;
  return read_norm(fields);
}

inline std::vector<float> read_frequencies(const JsonField& field, std::size_t dims) {
  if (field.array_size() != dims / 2)
    field.refuse(concat("expected ", dims / 2, " numbers, got ", field.array_size()));
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
  rope.layout = read_word<RopeLayout>(
      fields["layout"], {{"halves", RopeLayout::halves}, {"pairs", RopeLayout::pairs}});
  rope.dims = fields["dims"].count(2, head_dim);
  if (rope.dims % 2 != 0) fields["dims"].wrong("an even number");
  rope.frequencies = read_frequencies(fields["frequencies"], rope.dims);
  rope.attention_factor = read_positive(fields["attention_factor"], 1);
  if (const JsonField by = fields["by_context"]; !by.is_null()) {
    by.only({"original_context", "frequencies", "attention_factor"});
    rope.by_context =
        LongRope{read_size(by["original_context"]), read_frequencies(by["frequencies"], rope.dims),
                 read_positive(by["attention_factor"], 1)};
  }
  return rope;
}

inline std::optional<HeadNormSpec> read_head_norm(const JsonField& fields) {
  if (fields.is_null()) return std::nullopt;
  fields.only({"norm", "over", "place", "factor"});
  HeadNormSpec head;
  head.norm = read_norm(fields["norm"]);
  head.over =
      read_word<NormOver>(fields["over"], {{"head", NormOver::head}, {"whole", NormOver::whole}});
  if (!fields["place"].is_null()) {
    head.place = read_word<NormPlace>(fields["place"], {{"before_rope", NormPlace::before_rope},
                                                        {"after_rope", NormPlace::after_rope}});
  }
  head.factor = read_positive(fields["factor"], 1);
  return head;
}

inline AttentionSpec read_attention(const JsonField& fields) {
  fields.only({"heads", "kv_heads", "head_dim", "value_dim", "scale", "rope", "window", "softcap",
               "sinks", "bias", "q_norm", "k_norm", "v_norm", "clip", "query_scale", "value",
               "output_gate", "shares_kv_of"});
  AttentionSpec attention;
  attention.heads = read_size(fields["heads"]);
  attention.kv_heads = read_size(fields["kv_heads"]);
  attention.head_dim = read_size(fields["head_dim"]);
  attention.value_dim =
      fields["value_dim"].is_null() ? attention.head_dim : read_size(fields["value_dim"]);
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
    attention.bias = {bias["q"].flag(false), bias["k"].flag(false), bias["v"].flag(false),
                      bias["o"].flag(false)};
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
        fields["output_gate"],
        {{"separate", OutputGate::separate}, {"with_query", OutputGate::with_query}});
  }
  if (!fields["value"].is_null()) {
    attention.value = read_word<ValueSource>(
        fields["value"], {{"own", ValueSource::own}, {"key", ValueSource::key}});
  }
  if (!fields["shares_kv_of"].is_null())
    attention.shares_kv_of = fields["shares_kv_of"].count(0, 1u << 16);
  return attention;
}

inline FfnSpec read_ffn(const JsonField& fields) {
  using kernels::Activation;
  fields.only(
      {"hidden", "gated", "activation", "threshold", "alpha", "limit", "bias", "output_gate"});
  FfnSpec ffn;
  ffn.hidden = read_size(fields["hidden"]);
  ffn.gated = fields["gated"].flag();
  const JsonField activation = fields["activation"];
  const std::optional<Activation> known = kernels::activation_of(activation.string());
  if (!known) activation.wrong(kernels::activation_names());
  ffn.activation = *known;
  const auto number = [&](const char* key, bool needed) {
    if (!needed && !fields[key].is_null())
      fields[key].refuse(concat("is not for ", activation.string()));
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
  fields.only({"reads", "norm", "scores", "bias", "selection_bias", "groups", "weights",
               "renormalise", "epsilon", "scale", "expert_scale"});
  RouterSpec router;
  router.reads_layer_input =
      !fields["reads"].is_null() &&
      read_word<bool>(fields["reads"], {{"part", false}, {"layer_input", true}});
  router.norm = read_optional_norm(fields["norm"]);
  router.scores = read_word<RouterScores>(
      fields["scores"], {{"softmax", RouterScores::softmax}, {"sigmoid", RouterScores::sigmoid}});
  router.bias = fields["bias"].flag(false);
  router.selection_bias = fields["selection_bias"].flag(false);
  if (const JsonField groups = fields["groups"]; !groups.is_null()) {
    groups.only({"n", "keep"});
    router.groups = RouterGroups{read_size(groups["n"]), read_size(groups["keep"])};
    if (n_experts % router.groups->n != 0)
      groups["n"].wrong(concat("a divisor of the experts, ", n_experts));
    if (router.groups->keep > router.groups->n)
      groups["keep"].wrong(concat("at most n, ", router.groups->n));
  }
  router.weights = read_word<RouterWeights>(
      fields["weights"],
      {{"of_all", RouterWeights::of_all}, {"of_chosen", RouterWeights::of_chosen}});
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

FLASHLM_INLINE void read_work(const JsonField& fields, PartSpec& part) {
  constexpr std::pair<std::string_view, PartKind> kKinds[] = {
      {"attention", PartKind::attention},
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

}  // namespace detail

}  // namespace flashlm::inline FLASHLM_ABI::model
