// SPDX-License-Identifier: Apache-2.0
/// json_schema.ipp: the bodies of json_schema.hpp.
#pragma once

#include "flashlm/text/grammar/schema/json_schema.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "flashlm/base/error.hpp"
#include "flashlm/text/grammar/json/json_multiples.hpp"
#include "flashlm/text/grammar/schema/json_schema_arrays.hpp"
#include "flashlm/text/grammar/schema/json_schema_objects.hpp"
#include "flashlm/text/grammar/schema/json_schema_strings.hpp"
#include "flashlm/text/grammar/schema/json_schema_words.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE GrammarRules JsonSchema::compile(const nlohmann::ordered_json& schema) {
  GrammarRules rules;
  JsonSchema self(schema, rules);
  const Node start = self.context_.rule_of(self.context_.view.root());
  while (const auto next = self.context_.next()) rules.define(next->first, self.rule(next->second));
  const bool has_text = rules.finish(start);
  self.check_narrow();
  if (!has_text) throw FormatError("[json_schema] #: no text can meet this schema");
  return rules;
}

FLASHLM_INLINE JsonSchema::JsonSchema(const Json& schema, GrammarRules& rules)
    : context_(schema, rules), rules_(rules) {}

FLASHLM_INLINE JsonSchema::Node JsonSchema::rule(const Parts& parts) {
  const std::optional<Parts> flat = context_.splitter.flat(parts);
  if (!flat) return context_.json.nothing();
  if (flat->empty()) return context_.json.any(JsonRules::end());
  std::vector<Node> ways;
  if (const std::optional<std::vector<Place>> values = context_.listed(*flat)) {
    std::vector<std::string> texts;
    for (const Place& each : *values) texts.push_back(view().spelled(each));
    return context_.json.one_of(std::move(texts), JsonRules::end());
  }
  if (const auto alternatives = context_.splitter.alternatives(*flat)) {
    for (const JsonSchemaSplitter::Way& each : *alternatives) {
      ways.push_back(context_.rule_of(each.parts));
      if (each.narrow) narrow_.emplace_back(ways.back(), each);
    }
    return rules_.either(ways);
  }
  const std::vector<Place> taken = taken_values(*flat);
  const std::optional<unsigned> some = kinds_of(*flat, taken);
  if (!some) return context_.json.any(JsonRules::end());
  const unsigned kinds = *some;
  check_foreign(*flat, kinds);
  if ((kinds & kJsonNull) != 0) ways.push_back(rules_.literal("null", JsonRules::end()));
  if ((kinds & kJsonBoolean) != 0) ways.push_back(boolean(taken));
  if ((kinds & kJsonNumber) != 0) ways.push_back(number(*flat, (kinds & kJsonBroken) == 0));
  if ((kinds & kJsonString) != 0) ways.push_back(JsonSchemaStrings(context_, *flat).rule());
  if ((kinds & kJsonArray) != 0) ways.push_back(JsonSchemaArrays(context_, *flat).rule());
  if ((kinds & kJsonObject) != 0) ways.push_back(JsonSchemaObjects(context_, *flat).rule());
  return rules_.either(ways);
}

FLASHLM_INLINE void JsonSchema::check_narrow() const {
  for (const auto& [node, way] : narrow_) {
    if (rules_.cost(node) != GrammarRules::kNever) continue;
    view().unsupported(*way.narrow, way.keyword,
                       "expected alternatives that differ in type, const or a required "
                       "const, got some that may overlap. Use anyOf");
  }
}

FLASHLM_INLINE std::vector<JsonSchema::Place> JsonSchema::taken_values(const Parts& parts) const {
  std::vector<Place> result;
  for (const Part& part : parts) {
    if (!context_.splitter.is_plain_not(part)) continue;
    const Place inner = view().at(part.place, "not");
    if (view().find(inner, "const") != nullptr) result.push_back(view().at(inner, "const"));
    if (view().find(inner, "enum") == nullptr) continue;
    for (const Place& each : view().elements(inner, "enum")) result.push_back(each);
  }
  return result;
}

FLASHLM_INLINE std::optional<unsigned> JsonSchema::kinds_of(const Parts& parts,
                                                            const std::vector<Place>& taken) const {
  unsigned types = kJsonAny;
  unsigned about = 0;
  bool is_said = false;
  for (const Part& part : parts) {
    types &= view().kinds(part.place);
    is_said = is_said || view().find(part.place, "type") != nullptr;
    for (auto each = part.place.json->begin(); each != part.place.json->end(); ++each) {
      const unsigned kinds = json_kinds_of_word(each.key());
      if (kinds != kJsonAny) about |= kinds;
      if (kinds == kJsonAny) check_everywhere(part.place, each.key());
    }
    const bool lacks_pattern = context_.splitter.is_plain_not(part) &&
                               view().find(view().at(part.place, "not"), "pattern") != nullptr;
    if (lacks_pattern) types &= kJsonString, is_said = true;  // all but strings meet a pattern
  }
  if (types == kJsonAny && about == 0 && taken.empty()) return std::nullopt;
  if (!is_said && about != 0) types = about;
  for (const Place& each : taken) {
    const unsigned kind = View::kind_of(*each.json);
    if (kind == kJsonNull) types &= ~kind;
    // An array or an object has many spellings: where another kind will do, these are given up.
    if ((kind & (kJsonArray | kJsonObject)) == 0 || (types & kind) == 0) continue;
    if ((types & ~kind) == 0) view().unsupported(each, "not", "values that are arrays or objects");
    types &= ~kind;
  }
  return types;
}

FLASHLM_INLINE void JsonSchema::check_everywhere(const Place& place, std::string_view word) const {
  for (const auto& [foreign, about] : kJsonSchemaForeign) {
    if (foreign == word && about == kJsonAny) view().unsupported(place, word);
  }
}

FLASHLM_INLINE void JsonSchema::check_foreign(const Parts& parts, unsigned kinds) const {
  for (const Part& part : parts) {
    for (const auto& [word, about] : kJsonSchemaForeign) {
      if ((about & kinds) != 0 && view().find(part.place, word) != nullptr)
        view().unsupported(part.place, word);
    }
  }
}

FLASHLM_INLINE JsonSchema::Node JsonSchema::boolean(const std::vector<Place>& taken) {
  std::vector<std::string> texts;
  for (const bool value : {false, true}) {
    const bool is_taken = std::any_of(taken.begin(), taken.end(),
                                      [&](const Place& each) { return *each.json == value; });
    if (!is_taken) texts.push_back(value ? "true" : "false");
  }
  return context_.json.one_of(std::move(texts), JsonRules::end());
}

FLASHLM_INLINE JsonSchema::Node JsonSchema::number(const Parts& parts, bool whole) {
  std::optional<JsonDecimal> least;
  std::optional<JsonDecimal> most;
  JsonNumbers::Range range;
  std::int64_t divisor = 1;
  const Place* divided = nullptr;
  for (const Part& part : parts) {
    for (const char* keyword : {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"}) {
      read_bound(part.place, keyword, least, most, range);
    }
    if (view().find(part.place, "multipleOf") == nullptr) continue;
    divided = &part.place;
    divisor = joined(part.place, divisor);
  }
  if (divided != nullptr) {
    const auto [low, high] = JsonNumbers::whole_bounds(range);
    const auto node = JsonMultiples(rules_).multiple(divisor, low, high, JsonRules::end());
    if (!node) view().unsupported(*divided, "multipleOf", "the number is too large");
    return *node;
  }
  if (!least && !most) {  // the same wherever it stands
    std::optional<Node>& any = whole ? any_whole_ : any_number_;
    if (!any) {
      any = whole ? context_.json.numbers().integer(range, JsonRules::end())
                  : context_.json.numbers().plain(JsonRules::end());
    }
    return *any;
  }
  if (whole) return context_.json.numbers().integer(range, JsonRules::end());
  return JsonDecimals(rules_, context_.json.numbers()).number(least, most, JsonRules::end());
}

FLASHLM_INLINE std::int64_t JsonSchema::joined(const Place& place, std::int64_t divisor) const {
  const double said = view().find(place, "multipleOf")->is_number()
                          ? view().find(place, "multipleOf")->get<double>()
                          : 0;
  if (!(said > 0)) view().wrong(place, "multipleOf", "a number above 0");
  if (std::floor(said) != said || said > 1e9)
    view().unsupported(place, "multipleOf", "expected a whole number");
  const std::int64_t result = std::lcm(divisor, static_cast<std::int64_t>(said));
  if (result > 1'000'000'000) view().unsupported(place, "multipleOf", "the number is too large");
  return result;
}

FLASHLM_INLINE void JsonSchema::read_bound(const Place& place, std::string_view keyword,
                                           std::optional<JsonDecimal>& least,
                                           std::optional<JsonDecimal>& most,
                                           JsonNumbers::Range& range) const {
  const Json* said = view().find(place, keyword);
  const bool is_lower = keyword.ends_with("inimum");
  const Json* flag = view().find(place, is_lower ? "exclusiveMinimum" : "exclusiveMaximum");
  const bool is_flag = flag != nullptr && flag->is_boolean();  // draft 4
  if (said == nullptr || said->is_boolean()) return;
  if (!said->is_number()) view().wrong(place, keyword, "a number");
  const double value = said->get<double>();
  const bool excluded = keyword.starts_with("exclusive") || (is_flag && *flag == true);
  const JsonDecimal bound = JsonDecimal::of(value, excluded);
  std::optional<JsonDecimal>& known = is_lower ? least : most;
  if (!known || (is_lower ? *known < bound : bound < *known) ||
      (!(*known < bound) && !(bound < *known) && excluded)) {
    known = bound;
  }
  read_whole(*said, is_lower, excluded, range);
}

FLASHLM_INLINE void JsonSchema::read_whole(const Json& said, bool is_lower, bool excluded,
                                           JsonNumbers::Range& range) {
  const double exact = said.get<double>();
  const double rounded = is_lower ? std::ceil(exact) : std::floor(exact);
  constexpr double kLargest = static_cast<double>(JsonNumbers::kLargestBound);
  std::int64_t value = 0;
  if (std::abs(rounded) < kLargest) {
    value =
        said.is_number_integer() ? said.get<std::int64_t>() : static_cast<std::int64_t>(rounded);
  } else {
    value = rounded < 0 ? -JsonNumbers::kLargestBound : JsonNumbers::kLargestBound;
    if ((rounded > 0) == is_lower) value += is_lower ? 1 : -1;  // nothing of 18 digits lies beyond
  }
  const bool strict = excluded && rounded == exact;
  std::optional<std::int64_t>& bound = is_lower ? range.least : range.most;
  bool& is_excluded = is_lower ? range.above_least : range.below_most;
  const bool is_narrower = !bound || (is_lower ? value > *bound : value < *bound);
  if (!is_narrower && !(value == *bound && strict)) return;
  bound = value;
  is_excluded = strict;
}

}  // namespace flashlm::inline FLASHLM_ABI::text
