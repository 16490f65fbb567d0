// SPDX-License-Identifier: Apache-2.0
/// json_schema_parts.ipp: the bodies of json_schema_parts.hpp.
#pragma once

#include "flashlm/text/grammar/schema/json_schema_parts.hpp"

#include <algorithm>
#include <string>

#include "flashlm/base/error.hpp"
#include "flashlm/text/grammar/schema/json_schema_words.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE JsonSchemaSplitter::JsonSchemaSplitter(const View& view, JsonSchemaValues& values)
    : view_(&view), negation_(view), overlap_(view, values) {}

FLASHLM_INLINE JsonSchemaSplitter::Name JsonSchemaSplitter::name(const Parts& parts) {
  Name result;
  for (const Part& part : parts) result.emplace_back(part.place.json, part.done);
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

FLASHLM_INLINE std::optional<JsonSchemaSplitter::Parts> JsonSchemaSplitter::flat(
    const Parts& parts) const {
  Flat result;
  for (const Part& part : parts) result.given.emplace(part.place.json, &part);
  for (const Part& part : parts) {
    if (!gather(part, result)) return std::nullopt;
  }
  return std::move(result.parts);
}

FLASHLM_INLINE std::optional<std::vector<JsonSchemaSplitter::Way>> JsonSchemaSplitter::alternatives(
    const Parts& parts) {
  for (std::size_t index = 0; index < parts.size(); ++index) {
    for (std::size_t word = 0; word < kWords.size(); ++word) {
      const unsigned bit = 1U << word;
      if ((parts[index].done & bit) != 0 ||
          view_->find(parts[index].place, kWords[word]) == nullptr)
        continue;
      return combined(parts, index, word);
    }
  }
  return std::nullopt;
}

FLASHLM_INLINE bool JsonSchemaSplitter::is_plain_not(const Part& part) const {
  const Json* said = view_->find(part.place, "not");
  return said != nullptr && JsonSchemaNegation::is_plain(*said);
}

FLASHLM_INLINE bool JsonSchemaSplitter::contains(const std::vector<const Json*>& list,
                                                 const Json* one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

FLASHLM_INLINE bool JsonSchemaSplitter::gather(Part wanted, Flat& flat) const {
  // A chain of references is followed here, so that it needs no stack.
  std::vector<const Json*> passed;
  bool result = true;
  bool is_end = false;
  while (!is_end && result && JsonSchemaNegation::is_reference(*view_, wanted.place)) {
    const Json* own = wanted.place.json;
    result = !contains(wanted.within, own) && !flat.open.contains(own);
    is_end = !flat.seen.insert(own).second;
    if (!result || is_end) break;
    flat.open.insert(own);
    passed.push_back(own);
    wanted.place = view_->resolve(view_->word(wanted.place, "$ref"), wanted.place);
  }
  if (result && !is_end) result = gather_here(wanted, flat);
  for (const Json* own : passed) flat.open.erase(own);
  return result;
}

FLASHLM_INLINE bool JsonSchemaSplitter::gather_here(const Part& wanted, Flat& flat) const {
  const Json* own = wanted.place.json;
  // A schema that is met only if it is met says nothing that could be written.
  if (contains(wanted.within, own) || flat.open.contains(own)) return false;
  if (!flat.seen.insert(own).second) return true;
  const auto known = flat.given.find(own);
  const Part part = known == flat.given.end() ? wanted : *known->second;
  view_->check(part.place);
  if (part.place.json->is_boolean()) return part.place.json->get<bool>();
  if (flat.depth >= kDeepest)
    view_->refuse(part.place, "expected fewer references that follow one another");
  flat.open.insert(own);
  ++flat.depth;
  const bool result = gather_inner(part, flat);
  --flat.depth;
  flat.open.erase(own);
  return result;
}

FLASHLM_INLINE bool JsonSchemaSplitter::gather_inner(const Part& part, Flat& flat) const {
  const auto inner = [&](Place place) { return gather({std::move(place), 0, part.within}, flat); };
  const auto referred = [&] {
    return inner(view_->resolve(view_->word(part.place, "$ref"), part.place));
  };
  const bool nullable = view_->flag(part.place, "nullable") && (part.done & 1U) == 0;
  if (nullable) return flat.parts.push_back(part), true;  // an alternative of its own
  if (view_->reference_hides() && view_->find(part.place, "$ref") != nullptr) return referred();
  // Properties come in the order in which they are written, those of references where the reference
  // stands.
  bool is_in = false;
  for (auto each = part.place.json->begin(); each != part.place.json->end(); ++each) {
    if (each.key() == "$ref" && !referred()) return false;
    if (each.key() == "allOf") {
      for (const Place& place : view_->elements(part.place, "allOf")) {
        if (!inner(place)) return false;
      }
    }
    if (each.key() != "properties" || is_in) continue;
    flat.parts.push_back(part);
    is_in = true;
  }
  if (!is_in) flat.parts.push_back(part);
  return true;
}

FLASHLM_INLINE std::vector<JsonSchemaSplitter::Way> JsonSchemaSplitter::combined(const Parts& parts,
                                                                                 std::size_t index,
                                                                                 std::size_t word) {
  const Part& part = parts[index];
  const std::string_view keyword = kWords[word];
  unsigned kinds = kJsonAny;
  for (const Part& each : parts) kinds &= view_->kinds(each.place);
  std::vector<const Json*> within = part.within;
  within.push_back(part.place.json);
  std::vector<Way> result;
  for (const auto& [way, is_narrow] : ways_of(parts, part.place, keyword)) {
    Parts one = parts;
    one[index].done |= 1U << word;
    unsigned common = kinds;
    for (const Place& place : way) {
      one.push_back({place, 0, within});
      common &= overlap_.kinds(place);
    }
    if (common == 0 && !is_narrow) continue;
    result.push_back({std::move(one), is_narrow ? std::optional<Place>(part.place) : std::nullopt,
                      kWords[word]});
  }
  if (keyword == "nullable" && view_->flag(part.place, keyword)) add_null(parts, index, result);
  return result;
}

FLASHLM_INLINE std::vector<JsonSchemaSplitter::Listed> JsonSchemaSplitter::ways_of(
    const Parts& parts, const Place& place, std::string_view keyword) {
  std::vector<Listed> ways;
  bool is_narrow = false;
  if (keyword == "nullable") {
    view_->flag(place, keyword);
    return {Listed()};
  }
  if (keyword == "anyOf") {
    for (const Place& each : view_->elements(place, keyword)) ways.push_back({{each}, false});
  } else if (keyword == "oneOf") {
    return one_of(parts, place);
  } else if (keyword == "not") {
    if (JsonSchemaNegation::is_plain(*view_->find(place, keyword))) return {Listed()};
    const Place inner = negation_.followed(view_->at(place, keyword));
    const std::optional<Json> others = negation_.alternatives(inner, is_narrow);
    if (!others) view_->unsupported(place, keyword, "what it excludes cannot be said otherwise");
    add_made(inner, keyword, *others, ways);
  } else if (keyword == "if") {
    const auto branch = [&](const char* name) {
      const Json* said = view_->find(place, name);
      return said == nullptr ? Json(true) : *said;
    };
    const Place condition = view_->at(place, keyword);
    if (view_->has_parts(place))
      view_->unsupported(place, keyword, "what is in it has an $id of its own");
    const std::optional<Json> others = negation_.alternatives(condition, is_narrow);
    if (!others)
      view_->unsupported(place, keyword, "the opposite of its condition cannot be said otherwise");
    const Json met = {{"allOf", Json::array({*condition.json, branch("then")})}};
    const Json unmet = {{"allOf", Json::array({Json{{"anyOf", *others}}, branch("else")})}};
    add_made(place, keyword, others->empty() ? Json::array({met}) : Json::array({met, unmet}),
             ways);
  } else {
    if (view_->has_parts(place))
      view_->unsupported(place, keyword, "what is in it has an $id of its own");
    ways.emplace_back();
    for (const auto& [name, member] : view_->members(place, keyword)) {
      const Json then = member.json->is_array() ? Json{{"required", *member.json}} : *member.json;
      const Json either = {{"anyOf", Json::array({Json{{"properties", {{name, false}}}}, then})}};
      ways.front().first.push_back(negation_.make(place, keyword, name, either));
    }
  }
  return ways;
}

FLASHLM_INLINE void JsonSchemaSplitter::add_made(const Place& place, std::string_view keyword,
                                                 const Json& list, std::vector<Listed>& ways) {
  for (std::size_t index = 0; index < list.size(); ++index) {
    ways.push_back({{negation_.make(place, keyword, std::to_string(index), list[index])}, false});
  }
}

FLASHLM_INLINE std::vector<JsonSchemaSplitter::Listed> JsonSchemaSplitter::one_of(
    const Parts& parts, const Place& place) {
  std::vector<Listed> ways;
  const std::vector<Place> list = view_->elements(place, "oneOf");
  overlap_.begin(parts);
  for (std::size_t one = 0; one < list.size(); ++one) {
    std::vector<Place> way = {list[one]};
    std::size_t ways_to_differ = 1;
    bool is_narrow = false;
    for (std::size_t other = 0; other < list.size(); ++other) {
      if (other == one || overlap_.apart(place, list[one], list[other])) continue;
      const Place inner = negation_.followed(list[other]);
      const std::optional<Json> others = negation_.alternatives(inner, is_narrow);
      if (!others || (ways_to_differ *= std::max<std::size_t>(others->size(), 1)) > kMostWays) {
        view_->unsupported(
            place, "oneOf",
            concat("expected alternatives that differ in type, const or a required const, got ",
                   one, " and ", other, ", which may overlap. Use anyOf"));
      }
      way.push_back(negation_.make(inner, "oneOf", "", Json{{"anyOf", *others}}));
    }
    ways.push_back({std::move(way), is_narrow});
  }
  return ways;
}

FLASHLM_INLINE void JsonSchemaSplitter::add_null(const Parts& parts, std::size_t index,
                                                 std::vector<Way>& result) {
  Parts one = parts;
  one[index] = {
      negation_.make(parts[index].place, "nullable", "null", Json{{"type", "null"}}), 0, {}};
  result.push_back({std::move(one)});
}

}  // namespace flashlm::inline FLASHLM_ABI::text
