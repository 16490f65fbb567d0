// SPDX-License-Identifier: Apache-2.0
/// json_schema.hpp: the language of the JSON texts that a schema allows.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/error.hpp"
#include "flashlm/text/grammar_rules.hpp"
#include "flashlm/text/json_rules.hpp"
#include "flashlm/text/json_schema_overlap.hpp"
#include "flashlm/text/json_schema_view.hpp"

namespace flashlm::inline v0::text {

/// Turns a JSON schema (draft 2020-12) into rules. Whatever the rules allow, the schema allows; where a schema leaves
/// much open, the rules allow less:
///
///   - properties come in the order of `properties`, so that a model thinks in the order that the author chose;
///   - an object with `properties` has no others unless `additionalProperties` or `required` says so;
///   - keywords without `type` mean the type that they are about;
///   - each value of `enum` and `const` has one spelling.
class JsonSchema {
 public:
  /// The rules of `schema`. Throws FormatError, with the place in the schema, for a keyword that is not known, a value
  /// that a keyword cannot have, or a schema that no text can meet.
  static GrammarRules compile(const nlohmann::ordered_json& schema) {
    GrammarRules rules;
    JsonSchema self(schema, rules);
    const Node start = self.rule_of("#");
    // Rules are built one after another, not one inside another: a chain of references needs no stack.
    while (!self.waiting_.empty()) {
      const std::string reference = std::move(self.waiting_.back());
      self.waiting_.pop_back();
      const Node meaning = self.value(self.view_.resolve(reference), JsonRules::end());
      rules.define(self.named_.at(reference), meaning);
    }
    if (!rules.finish(start)) throw FormatError("[json_schema] #: no text can meet this schema");
    return rules;
  }

 private:
  using Node = GrammarRules::Node;
  using View = JsonSchemaView;
  using Json = View::Json;
  using Place = View::Place;

  static constexpr std::uint64_t kNoLimit = GrammarRules::kNoLimit;

  JsonSchema(const Json& schema, GrammarRules& rules) : view_(schema), json_(rules), rules_(rules) {}

  /// The rule that a reference names.
  Node rule_of(const std::string& reference) {
    const auto [found, is_new] = named_.try_emplace(reference, 0);
    if (is_new) {
      found->second = rules_.declare();
      waiting_.push_back(reference);
    }
    return found->second;
  }

  /// A value that `place` allows, then `next`.
  Node value(const Place& place, Node next) {
    if (place.json->is_boolean()) return place.json->get<bool>() ? json_.any(next) : json_.nothing();
    view_.check(place);
    const Json* nullable = view_.find(place, "nullable");
    const Node node = not_null(place, next);
    if (nullable == nullptr) return node;
    if (!nullable->is_boolean()) view_.wrong(place, "nullable", "true or false");
    return nullable->get<bool>() ? rules_.either({node, rules_.literal("null", next)}) : node;
  }

  Node not_null(const Place& place, Node next) {
    if (const Json* reference = view_.find(place, "$ref")) {
      view_.alone(place, "$ref", {});
      if (!reference->is_string()) view_.wrong(place, "$ref", "a string");
      view_.resolve(reference->get_ref<const std::string&>(), &place);
      return rules_.call(rule_of(reference->get_ref<const std::string&>()), next);
    }
    if (const Json* fixed = view_.find(place, "const")) {
      view_.alone(place, "const", {"type"});
      return one_of(place, {view_.down(place, "const", *fixed)}, next);
    }
    if (view_.find(place, "enum") != nullptr) {
      view_.alone(place, "enum", {"type"});
      return one_of(place, view_.elements(place, "enum"), next);
    }
    for (const char* keyword : {"anyOf", "oneOf", "allOf"}) {
      if (view_.find(place, keyword) == nullptr) continue;
      view_.alone(place, keyword, {});
      const std::vector<Place> parts = view_.elements(place, keyword);
      if (keyword == std::string_view("allOf") && parts.size() > 1) view_.wrong(place, keyword, "one schema");
      if (keyword == std::string_view("oneOf")) JsonSchemaOverlap(view_).check_apart(place, parts);
      std::vector<Node> ways;
      for (const Place& part : parts) ways.push_back(value(part, next));
      return rules_.either(ways);
    }
    std::vector<Node> ways;
    for (const std::string& type : view_.types(place)) ways.push_back(typed(place, type, next));
    return rules_.either(ways);
  }

  Node typed(const Place& place, const std::string& type, Node next) {
    if (type == "null") return rules_.literal("null", next);
    if (type == "boolean") return json_.boolean(next);
    if (type == "integer") return json_.numbers().integer(range(place, true), next);
    if (type == "number") return json_.numbers().number(range(place, false), next);
    if (type == "string") {
      return json_.string(view_.count(place, "minLength", 0), view_.count(place, "maxLength", kNoLimit), next);
    }
    if (type == "array") return array(place, next);
    if (type == "object") return object(place, next);
    if (type == "any") return json_.any(next);
    view_.wrong(place, "type", "array, boolean, integer, null, number, object or string");
  }

  /// Some of the values, as text. Those of another type than `type` cannot be meant.
  Node one_of(const Place& place, const std::vector<Place>& values, Node next) {
    const std::vector<std::string> types = view_.types(place);
    std::vector<std::string> texts;
    for (const Place& each : values) {
      const bool fits = std::any_of(types.begin(), types.end(),
                                    [&](const std::string& type) { return View::is_of_type(*each.json, type); });
      if (fits) texts.push_back(view_.spelled(each));
    }
    return json_.one_of(std::move(texts), next);
  }

  JsonNumbers::Range range(const Place& place, bool whole) {
    JsonNumbers::Range range;
    const auto read = [&](const char* keyword, bool lower, bool exclusive, std::optional<std::int64_t>& bound,
                          bool& excluded) {
      const Json* found = view_.find(place, keyword);
      if (found == nullptr) return;
      if (!found->is_number()) view_.wrong(place, keyword, "a number");
      const double exact = found->get<double>();
      const double rounded = lower ? std::ceil(exact) : std::floor(exact);
      if (!whole && rounded != exact) {
        view_.wrong(place, keyword, "a whole number; bounds with a fraction are not supported");
      }
      constexpr double kLargest = static_cast<double>(JsonNumbers::kLargestBound);
      std::int64_t value = 0;
      if (std::abs(rounded) < kLargest) {
        value = found->is_number_integer() ? found->get<std::int64_t>() : static_cast<std::int64_t>(rounded);
      } else {
        value = rounded < 0 ? -JsonNumbers::kLargestBound : JsonNumbers::kLargestBound;
        if ((rounded > 0) == lower) value += lower ? 1 : -1;  // nothing of 18 digits lies beyond
      }
      const bool strict = exclusive && rounded == exact;
      const bool narrower = !bound || (lower ? value > *bound : value < *bound);
      if (narrower || (value == *bound && strict)) {
        bound = value;
        excluded = strict;
      }
    };
    read("minimum", true, false, range.least, range.above_least);
    read("exclusiveMinimum", true, true, range.least, range.above_least);
    read("maximum", false, false, range.most, range.below_most);
    read("exclusiveMaximum", false, true, range.most, range.below_most);
    return range;
  }

  Node array(const Place& place, Node next) {
    const std::uint64_t least = view_.count(place, "minItems", 0);
    std::uint64_t most = view_.count(place, "maxItems", kNoLimit);
    const Json* items = view_.find(place, "items");
    std::vector<Place> first;
    if (view_.find(place, "prefixItems") != nullptr) first = view_.elements(place, "prefixItems");
    if (items != nullptr && items->is_array()) view_.wrong(place, "items", "a schema; a list of them is prefixItems");
    // A tuple ends with its last position, unless something speaks of more.
    if (!first.empty() && items == nullptr && least <= first.size()) most = std::min<std::uint64_t>(most, first.size());
    const Node rule =
        items == nullptr ? json_.any(JsonRules::end()) : value(view_.down(place, "items", *items), JsonRules::end());
    if (first.empty()) return json_.array(rule, least, most, next);
    const std::uint64_t n_first = first.size();
    const Node close = rules_.literal("]", next);
    // What may follow when `done` items stand there, from the last to none.
    Node rest = json_.more_items(rule, least > n_first ? least - n_first : 0,
                                 most == kNoLimit ? kNoLimit : (most > n_first ? most - n_first : 0), close);
    if (most < n_first) rest = json_.nothing();
    for (std::uint64_t done = n_first; done-- > 0;) {
      std::vector<Node> ways;
      if (done < most) {
        const Node item = value(first[done], rest);
        ways.push_back(done == 0 ? item : rules_.literal(", ", item));
      }
      if (done >= least && done <= most) ways.push_back(close);
      rest = rules_.either(ways);
    }
    return rules_.literal("[", rest);
  }

  struct Property {
    std::string name;
    std::optional<Place> schema;  // any value without
    bool required = false;
  };

  Node object(const Place& place, Node next) {
    std::vector<Property> properties =
        view_.find(place, "properties") == nullptr ? std::vector<Property>() : declared(place);
    const Json* additional = view_.find(place, "additionalProperties");
    const bool closed = additional != nullptr && additional->is_boolean() && !additional->get<bool>();
    const bool open = additional != nullptr ? !closed : view_.find(place, "properties") == nullptr;
    const std::optional<Place> others =
        additional == nullptr ? std::nullopt
                              : std::optional<Place>(view_.down(place, "additionalProperties", *additional));
    if (view_.find(place, "required") != nullptr) {
      for (const Place& name : view_.elements(place, "required")) {
        if (!name.json->is_string()) view_.refuse(name, "expected a string");
        const auto& text = name.json->get_ref<const std::string&>();
        auto found =
            std::find_if(properties.begin(), properties.end(), [&](const Property& p) { return p.name == text; });
        if (found == properties.end()) found = properties.insert(properties.end(), {text, others, false});
        found->required = true;
      }
    }
    Node first = rules_.literal("}", next);  // nothing written yet
    Node rest = first;                       // after a property
    if (open) {
      std::vector<std::string> taken;
      for (const Property& property : properties) taken.push_back(property.name);
      const Node what = others ? value(*others, JsonRules::end()) : json_.any(JsonRules::end());
      const Node pair = json_.other_string(taken, rules_.literal(": ", rules_.call(what, JsonRules::end())));
      rest = json_.more_items(pair, 0, kNoLimit, rest);
      first = rules_.either({first, rules_.call(pair, rest)});
    }
    for (std::size_t index = properties.size(); index-- > 0;) {
      const Property& property = properties[index];
      const Node what = property.schema ? value(*property.schema, rest) : json_.any(rest);
      const Node pair = rules_.literal(view_.quoted(place, property.name) + ": ", what);
      const Node comma = rules_.literal(", ", pair);
      first = property.required ? pair : rules_.either({pair, first});
      rest = property.required ? comma : rules_.either({comma, rest});
    }
    return rules_.literal("{", first);
  }

  std::vector<Property> declared(const Place& place) {
    std::vector<Property> properties;
    for (const auto& [name, member] : view_.members(place, "properties")) properties.push_back({name, member, false});
    return properties;
  }

  View view_;
  JsonRules json_;
  GrammarRules& rules_;
  std::map<std::string, Node> named_;  // by reference
  std::vector<std::string> waiting_;   // references whose rules are to be built
};

}  // namespace flashlm::inline v0::text
