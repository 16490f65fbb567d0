// SPDX-License-Identifier: Apache-2.0
/// json_schema_context.ipp: the bodies of json_schema_context.hpp.
#pragma once

#include "flashlm/text/grammar/schema/json_schema_context.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE JsonSchemaContext::JsonSchemaContext(const Json& schema, GrammarRules& target)
    : view(schema),
      values(view, patterns),
      splitter(view, values),
      json(target),
      strings(target),
      rules(target) {}

FLASHLM_INLINE JsonSchemaContext::Node JsonSchemaContext::rule_of(const Parts& parts) {
  const auto [found, is_new] = named_.try_emplace(JsonSchemaSplitter::name(parts), 0);
  if (is_new) {
    combinations_ += parts.size() > kFew ? 1 : 0;
    if (named_.size() > kMostRules || combinations_ > kMostCombinations) {
      view.refuse(view.root(), "its alternatives combine in too many ways. Simplify it");
    }
    found->second = rules.declare();
    waiting_.emplace_back(found->second, parts);
  }
  return found->second;
}

FLASHLM_INLINE std::optional<std::pair<JsonSchemaContext::Node, JsonSchemaContext::Parts>>
JsonSchemaContext::next() {
  if (waiting_.empty()) return std::nullopt;
  std::pair<Node, Parts> result = std::move(waiting_.front());
  waiting_.pop_front();
  return result;
}

FLASHLM_INLINE std::optional<std::vector<JsonSchemaContext::Place>> JsonSchemaContext::listed(
    const Parts& parts) {
  std::optional<std::vector<Place>> result;
  const JsonSchemaPart* source = nullptr;
  std::string_view keyword;
  for (const JsonSchemaPart& part : parts) {
    const Json* fixed = view.find(part.place, "const");
    if (result || (fixed == nullptr && view.find(part.place, "enum") == nullptr)) continue;
    source = &part;
    keyword = fixed != nullptr ? "const" : "enum";
    result = fixed != nullptr ? std::vector<Place>{view.down(part.place, keyword, *fixed)}
                              : view.elements(part.place, keyword);
  }
  if (!result) return std::nullopt;
  std::erase_if(*result, [&](const Place& each) {
    for (const JsonSchemaPart& part : parts) {
      const std::optional<bool> answer =
          values.meets(*each.json, part.place, &part == source ? keyword : std::string_view());
      if (answer == false) return true;
      if (!answer)
        view.unsupported(part.place, values.unknown(*each.json, part.place),
                         "beside enum or const");
    }
    return false;
  });
  return result;
}

}  // namespace flashlm::inline FLASHLM_ABI::text
