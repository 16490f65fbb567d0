// SPDX-License-Identifier: Apache-2.0
/// json_schema_context.hpp: what the rules of all kinds of values share while a schema is turned
/// into rules.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/text/grammar/automaton/grammar_rules.hpp"
#include "flashlm/text/grammar/json/json_rules.hpp"
#include "flashlm/text/grammar/json/json_strings.hpp"
#include "flashlm/text/grammar/schema/json_schema_parts.hpp"
#include "flashlm/text/grammar/schema/json_schema_values.hpp"
#include "flashlm/text/grammar/schema/json_schema_view.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// The schema, its rules so far, and those that wait to be built.
class JsonSchemaContext {
 public:
  using Node = GrammarRules::Node;
  using Json = JsonSchemaView::Json;
  using Place = JsonSchemaPlace;
  using Parts = JsonSchemaParts;

  JsonSchemaContext(const Json& schema, GrammarRules& target);

  /// The rule of values that meet all of `parts`. Rules are built one after another, not one inside
  /// another: a chain of references needs no stack.
  Node rule_of(const Parts& parts);
  Node rule_of(const Place& place) { return rule_of(Parts{{place, 0, {}}}); }

  /// The next rule to build; nothing if all are.
  std::optional<std::pair<Node, Parts>> next();

  /// The values that `parts`, which are flat, allow where one of them lists its own.
  std::optional<std::vector<Place>> listed(const Parts& parts);

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

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/schema/json_schema_context.ipp"
#endif
