// SPDX-License-Identifier: Apache-2.0
/// json_schema_negation.ipp: the bodies of json_schema_negation.hpp.
#pragma once

#include "flashlm/text/grammar/schema/json_schema_negation.hpp"

#include <algorithm>
#include <cstdint>

#include "flashlm/text/grammar/schema/json_schema_words.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE JsonSchemaNegation::Place JsonSchemaNegation::make(const Place& place,
                                                                  std::string_view keyword,
                                                                  std::string_view tag, Json json) {
  std::string pointer = place.pointer;
  const bool is_made = pointer.find(View::kMade) != std::string::npos;
  pointer += is_made ? '/' : View::kMade;
  pointer += std::string(keyword) + "~" + std::string(tag);
  const auto [found, is_new] = made_.try_emplace({pointer, place.resource}, nullptr);
  if (is_new) {
    texts_.push_back(std::move(json));
    found->second = &texts_.back();
  }
  return {found->second, std::move(pointer), place.depth + 1, place.resource};
}

FLASHLM_INLINE std::optional<JsonSchemaNegation::Json> JsonSchemaNegation::alternatives(
    const Place& place, bool& is_narrow) {
  view_->check(place);
  if (place.json->is_boolean())
    return place.json->get<bool>() ? Json::array() : Json::array({true});
  Json ways = Json::array();
  bool all_known = true;
  const bool only_reference = view_->reference_hides() && view_->find(place, "$ref") != nullptr;
  // Null would meet it in another way; and a part with its own `$id` cannot be copied.
  if (view_->flag(place, "nullable") || view_->has_parts(place)) return std::nullopt;
  for (auto each = place.json->begin(); each != place.json->end(); ++each) {
    if (json_kinds_of_word(each.key()) == 0 || (only_reference && each.key() != "$ref")) continue;
    if (!add(place, each.key(), ways)) all_known = false;
  }
  if (ways.empty() && !all_known) return std::nullopt;
  is_narrow = is_narrow || !all_known;
  return ways;
}

FLASHLM_INLINE JsonSchemaNegation::Place JsonSchemaNegation::followed(Place place) const {
  for (int step = 0; step < kMostReferences; ++step) {
    if (!is_reference(*view_, place)) break;
    place = view_->resolve(view_->word(place, "$ref"), place);
  }
  return place;
}

FLASHLM_INLINE bool JsonSchemaNegation::is_reference(const View& view, const Place& place) {
  if (view.find(place, "$ref") == nullptr) return false;
  std::size_t words = 0;
  for (auto each = place.json->begin(); each != place.json->end(); ++each) {
    words += json_kinds_of_word(each.key()) != 0 ? 1 : 0;
  }
  return words == 1 || (view.reference_hides() && view.find(place, "nullable") == nullptr);
}

FLASHLM_INLINE bool JsonSchemaNegation::is_plain(const Json& schema) {
  std::string_view only;
  if (!schema.is_object()) return false;
  for (auto each = schema.begin(); each != schema.end(); ++each) {
    if (json_kinds_of_word(each.key()) == 0) continue;
    if (!only.empty()) return false;
    only = each.key();
  }
  const auto has_numbers = [](const Json& list) {
    return !list.is_array() ||
           std::any_of(list.begin(), list.end(), [](const Json& each) { return each.is_number(); });
  };
  if (only == "const") return !schema["const"].is_number();
  return only == "pattern" || (only == "enum" && !has_numbers(schema["enum"]));
}

FLASHLM_INLINE bool JsonSchemaNegation::add(const Place& place, const std::string& key,
                                            Json& ways) {
  const Json& said = *view_->find(place, key);
  const auto count = [&](std::uint64_t bound, const char* other, const char* type, bool down) {
    if (!down || bound > 0) ways.push_back({{"type", type}, {other, down ? bound - 1 : bound + 1}});
    return true;
  };
  if (key == "$ref") return ways.push_back({{"not", {{"$ref", view_->word(place, key)}}}}), true;
  if (key == "allOf") {
    for (const Place& part : view_->elements(place, key)) ways.push_back({{"not", *part.json}});
    return true;
  }
  if (key == "anyOf") {
    Json all = Json::array();
    for (const Place& part : view_->elements(place, key)) all.push_back({{"not", *part.json}});
    ways.push_back({{"allOf", all}});
    return true;
  }
  if (key == "not") return ways.push_back(said), true;
  if (key == "const" && said.is_number()) {
    ways.push_back({{"type", {"null", "boolean", "string", "array", "object"}}});
    ways.push_back({{"type", "number"}, {"exclusiveMaximum", said}});
    ways.push_back({{"type", "number"}, {"exclusiveMinimum", said}});
    return true;
  }
  if (key == "const") return ways.push_back({{"not", {{key, said}}}}), true;
  if (key == "enum") {
    Json all = Json::array();
    for (const Place& each : view_->elements(place, key))
      all.push_back({{"not", {{"const", *each.json}}}});
    ways.push_back({{"allOf", all}});
    return true;
  }
  if (key == "pattern") return ways.push_back({{"type", "string"}, {"not", {{key, said}}}}), true;
  if (key == "type") return add_types(view_->kinds(place), ways);
  if (said.is_number()) {
    if (key == "minimum")
      return ways.push_back({{"type", "number"}, {"exclusiveMaximum", said}}), true;
    if (key == "maximum")
      return ways.push_back({{"type", "number"}, {"exclusiveMinimum", said}}), true;
    if (key == "exclusiveMinimum")
      return ways.push_back({{"type", "number"}, {"maximum", said}}), true;
    if (key == "exclusiveMaximum")
      return ways.push_back({{"type", "number"}, {"minimum", said}}), true;
  }
  if (key == "minLength") return count(view_->count(place, key, 0), "maxLength", "string", true);
  if (key == "maxLength") return count(view_->count(place, key, 0), "minLength", "string", false);
  if (key == "minItems") return count(view_->count(place, key, 0), "maxItems", "array", true);
  if (key == "maxItems") return count(view_->count(place, key, 0), "minItems", "array", false);
  if (key == "minProperties")
    return count(view_->count(place, key, 0), "maxProperties", "object", true);
  if (key == "maxProperties")
    return count(view_->count(place, key, 0), "minProperties", "object", false);
  if (key == "required") {
    for (const std::string& name : view_->names(place, key)) {
      ways.push_back({{"type", "object"}, {"properties", {{name, false}}}});
    }
    return true;
  }
  if (key == "properties") {
    for (const auto& [name, member] : view_->members(place, key)) {
      if (*member.json == true || (member.json->is_object() && member.json->empty())) continue;
      ways.push_back({{"type", "object"},
                      {"required", Json::array({name})},
                      {"properties", {{name, {{"not", *member.json}}}}}});
    }
    return true;
  }
  return key == "then" || key == "else";  // of an `if`, which is not known
}

FLASHLM_INLINE bool JsonSchemaNegation::add_types(unsigned kinds, Json& ways) {
  Json others = Json::array();
  for (const char* type : {"null", "boolean", "number", "string", "array", "object"}) {
    if ((json_kinds_of_type(type) & kinds) == 0) others.push_back(type);
  }
  if (!others.empty()) ways.push_back({{"type", others}});
  return (kinds & kJsonNumber) != kJsonWhole;  // what is a number and not whole is left out
}

}  // namespace flashlm::inline FLASHLM_ABI::text
