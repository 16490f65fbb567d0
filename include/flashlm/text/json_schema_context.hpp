// SPDX-License-Identifier: Apache-2.0
/// json_schema_context.hpp: what the rules of all kinds of values share while a schema is turned into rules.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/error.hpp"
#include "flashlm/text/grammar_rules.hpp"
#include "flashlm/text/json_rules.hpp"
#include "flashlm/text/json_schema_parts.hpp"
#include "flashlm/text/json_schema_values.hpp"
#include "flashlm/text/json_schema_view.hpp"
#include "flashlm/text/json_strings.hpp"

namespace flashlm::inline v0::text {

/// The schema, its rules so far, and those that wait to be built.
class JsonSchemaContext {
 public:
  using Node = GrammarRules::Node;
  using Json = JsonSchemaView::Json;
  using Place = JsonSchemaPlace;
  using Parts = JsonSchemaParts;

  JsonSchemaContext(const Json& schema, GrammarRules& target)
      : view(schema), values(view, patterns), splitter(view, values), json(target), strings(target), rules(target) {}

  /// The rule of values that meet all of `parts`. Rules are built one after another, not one inside another: a chain of
  /// references needs no stack.
  Node rule_of(const Parts& parts) {
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
  Node rule_of(const Place& place) { return rule_of(Parts{{place, 0, {}}}); }

  /// The next rule to build; nothing if all are.
  std::optional<std::pair<Node, Parts>> next() {
    if (waiting_.empty()) return std::nullopt;
    std::pair<Node, Parts> result = std::move(waiting_.front());
    waiting_.pop_front();
    return result;
  }

  /// The values that `parts`, which are flat, allow where one of them lists its own.
  std::optional<std::vector<Place>> listed(const Parts& parts) {
    std::optional<std::vector<Place>> result;
    for (const JsonSchemaPart& part : parts) {
      const Json* fixed = view.find(part.place, "const");
      if (!result && fixed != nullptr) result = {view.down(part.place, "const", *fixed)};
      if (!result && view.find(part.place, "enum") != nullptr) result = view.elements(part.place, "enum");
    }
    if (!result) return std::nullopt;
    std::erase_if(*result, [&](const Place& each) {
      for (const JsonSchemaPart& part : parts) {
        const std::optional<bool> answer = values.meets(*each.json, part.place);
        if (answer == false) return true;
        if (!answer) view.unsupported(part.place, values.unknown(*each.json, part.place), "beside enum or const");
      }
      return false;
    });
    return result;
  }

  JsonPatterns patterns;
  JsonSchemaView view;
  JsonSchemaValues values;
  JsonSchemaSplitter splitter;
  JsonRules json;
  JsonStrings strings;
  GrammarRules& rules;

 private:
  static constexpr std::size_t kMostRules = 50'000;
  static constexpr std::size_t kMostCombinations = 4'000;
  static constexpr std::size_t kFew = 3;

  std::map<JsonSchemaSplitter::Name, Node> named_;
  std::deque<std::pair<Node, Parts>> waiting_;
  std::size_t combinations_ = 0;  // rules of more than kFew parts
};

}  // namespace flashlm::inline v0::text
