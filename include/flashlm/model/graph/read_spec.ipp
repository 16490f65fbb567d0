// SPDX-License-Identifier: Apache-2.0
/// read_spec.ipp: the bodies of read_spec.hpp.
#pragma once

#include "flashlm/model/graph/read_spec.hpp"

#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/model/graph/read_work.hpp"
#include "flashlm/storage/format/json.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

namespace detail {

inline Reads read_reads(const JsonField& field, std::size_t index) {
  if (field.is_null()) return {};
  if (!field.value().is_object()) {
    return {read_word<Reads::From>(field, {{"residual", Reads::From::residual},
                                           {"layer_input", Reads::From::layer_input}}),
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
    one.only({"does", "attention", "ffn", "experts", "cross", "delta", "convolution", "state_space",
              "reads", "before", "after", "group", "residual_scale"});
    PartSpec part;
    const std::size_t last = layer.parts.empty() ? 0 : layer.parts.back().group;
    part.group = one["group"].is_null() ? 0 : one["group"].count(0, kMostParts);
    if (part.group < last || part.group > last + (layer.parts.empty() ? 0 : 1)) {
      one["group"].wrong(
          concat("the group of the part before or the next, from 0: ", last, " or ", last + 1));
    }
    read_work(one, part);
    part.reads = read_reads(one["reads"], layer.parts.size());
    part.before = read_optional_norm(one["before"]);
    part.after = read_optional_norm(one["after"]);
    part.residual_scale =
        one["residual_scale"].is_null() ? 1 : static_cast<float>(one["residual_scale"].number());
    if (part.reads.from == Reads::From::norm_of) {
      const PartSpec& source = layer.parts[part.reads.part];
      if (!source.before)
        one["reads"].refuse(concat("part ", part.reads.part, " has no norm before it"));
      if (source.group != part.group) one["reads"].refuse("expected a part of the same group");
      if (part.before) one["before"].refuse("is not for a part that reads a norm");
    }
    layer.parts.push_back(std::move(part));
  });
  layer.group_after.resize(layer.parts.back().group + 1);
  if (const JsonField after = fields["group_after"]; !after.is_null()) {
    if (after.array_size() != layer.group_after.size()) {
      after.refuse(concat("expected ", layer.group_after.size(), " norms or nulls, got ",
                          after.array_size()));
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
  stack.kind = read_word<StackKind>(
      fields["kind"], {{"decoder", StackKind::decoder}, {"encoder", StackKind::encoder}});
  fields["layer_kinds"].elements(
      [&](const JsonField& kind) { stack.kinds.push_back(read_layer(kind)); });
  const JsonField layers = fields["layers"];
  if (const std::size_t n = layers.array_size(); n == 0 || n > kMostLayers) {
    layers.refuse(concat("expected 1 to ", kMostLayers, " layers, got ", n));
  }
  if (stack.kinds.empty()) fields["layer_kinds"].refuse("expected one layer or more");
  layers.elements(
      [&](const JsonField& one) { stack.layers.push_back(one.count(0, stack.kinds.size() - 1)); });
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
    embedding.positions =
        PositionTable{read_size(positions["rows"]), positions["offset"].count(0, 1u << 16)};
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
    fields["embedding"]["positions"]["rows"].wrong(concat(
        "max_context and offset together, ", spec.max_context + positions->offset, ", or more"));
  }
  fields["stacks"].elements(
      [&](const storage::JsonField& one) { spec.stacks.push_back(detail::read_stack(one)); });
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
