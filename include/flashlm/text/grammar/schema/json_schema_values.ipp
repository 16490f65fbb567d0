// SPDX-License-Identifier: Apache-2.0
/// json_schema_values.ipp: the bodies of json_schema_values.hpp.
#pragma once

#include "flashlm/text/grammar/schema/json_schema_values.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/text/grammar/json/json_value.hpp"
#include "flashlm/text/grammar/schema/json_schema_words.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE const PatternStates& JsonPatterns::states(const std::string& pattern,
                                                         PatternReading reading) {
  auto& known = known_[{pattern, reading}];
  if (!known.second.empty()) throw FormatError(known.second);
  if (known.first == nullptr) {
    try {
      known.first = std::make_unique<PatternStates>(PatternStates::of_pattern(pattern, reading));
    } catch (const FormatError& error) {
      known.second = error.what();
      throw;
    }
  }
  return *known.first;
}

FLASHLM_INLINE std::optional<bool> JsonPatterns::found(const std::string& pattern,
                                                       const std::string& text) {
  try {
    if (states(pattern, PatternReading::certain).contains(text)) return true;
    if (!states(pattern, PatternReading::possible).contains(text)) return false;
  } catch (const FormatError&) {
  }
  return std::nullopt;
}

FLASHLM_INLINE JsonSchemaValues::Answer JsonSchemaValues::meets(const Json& value,
                                                                const Place& place,
                                                                std::string_view known) {
  steps_ = 0;
  whole_ = &value;
  judged_.clear();
  known_ = known;
  return judge(value, place, 0);
}

FLASHLM_INLINE std::string JsonSchemaValues::unknown(const Json& value, const Place& place) {
  for (auto each = place.json->begin(); each != place.json->end(); ++each) {
    steps_ = 0;
    judged_.clear();
    if (!word(value, place, each.key(), 0)) return each.key();
  }
  return "$ref";
}

FLASHLM_INLINE JsonSchemaValues::Answer JsonSchemaValues::both(Answer left, Answer right) {
  if (left == false || right == false) return false;
  return left == true && right == true ? Answer(true) : std::nullopt;
}

FLASHLM_INLINE JsonSchemaValues::Answer JsonSchemaValues::judge(const Json& value,
                                                                const Place& place, int depth) {
  if (depth > kDeepest || ++steps_ > kMostSteps || ++all_steps_ > kMostAllSteps)
    return std::nullopt;
  view_->check(place);
  if (place.json->is_boolean()) return place.json->get<bool>();
  if (value.is_null() && view_->flag(place, "nullable")) return true;
  const Json* reference = view_->find(place, "$ref");
  if (reference != nullptr && view_->reference_hides()) return referred(value, place, depth);
  Answer result = true;
  // A schema that others refer to in many ways is judged once.
  const auto judged = &value == whole_ ? judged_.find(place.json) : judged_.end();
  if (judged != judged_.end()) return judged->second;
  for (auto each = place.json->begin(); each != place.json->end() && result != false; ++each) {
    if (depth == 0 && each.key() == known_) continue;
    result = both(result, word(value, place, each.key(), depth));
  }
  if (&value == whole_ && result) judged_.emplace(place.json, result);
  return result;
}

FLASHLM_INLINE JsonSchemaValues::Answer JsonSchemaValues::referred(const Json& value,
                                                                   const Place& place, int depth) {
  return judge(value, view_->resolve(view_->word(place, "$ref"), place), depth + 1);
}

FLASHLM_INLINE JsonSchemaValues::Answer JsonSchemaValues::word(const Json& value,
                                                               const Place& place,
                                                               const std::string& key, int depth) {
  const unsigned about = json_kinds_of_word(key);
  if ((about & View::kind_of(value)) == 0) return true;
  const auto inner = [&](const Place& other) { return judge(value, other, depth + 1); };
  if (key == "type") return (view_->kinds(place) & View::kind_of(value)) != 0;
  if (key == "const") return same_value(value, *view_->find(place, key));
  if (key == "enum") {
    const Json& list = *view_->find(place, key);
    if (!list.is_array()) view_->wrong(place, key, "an array");
    return std::any_of(list.begin(), list.end(),
                       [&](const Json& one) { return same_value(value, one); });
  }
  if (key == "$ref") return referred(value, place, depth);
  if (key == "not") return inverse(inner(view_->at(place, key)));
  if (key == "allOf" || key == "anyOf" || key == "oneOf") return composed(value, place, key, depth);
  if (key == "if") {
    const Answer condition = inner(view_->at(place, key));
    const auto branch = [&](const char* name) -> Answer {
      return view_->find(place, name) == nullptr ? Answer(true) : inner(view_->at(place, name));
    };
    if (condition) return branch(*condition ? "then" : "else");
    return both(branch("then"), branch("else")) == true ? Answer(true) : std::nullopt;
  }
  if (key == "then" || key == "else" || key == "nullable") return true;
  if (value.is_number()) return number(value, place, key);
  if (value.is_string()) return string(value.get_ref<const std::string&>(), place, key);
  if (value.is_array()) return array(value, place, key, depth);
  return value.is_object() ? object(value, place, key, depth) : std::nullopt;
}

FLASHLM_INLINE JsonSchemaValues::Answer JsonSchemaValues::composed(const Json& value,
                                                                   const Place& place,
                                                                   const std::string& key,
                                                                   int depth) {
  std::size_t yes = 0;
  std::size_t no = 0;
  const std::vector<Place> parts = view_->elements(place, key);
  for (const Place& part : parts) {
    const Answer answer = judge(value, part, depth + 1);
    yes += answer == true ? 1 : 0;
    no += answer == false ? 1 : 0;
  }
  const bool all_known = yes + no == parts.size();
  if (key == "allOf") return no > 0 ? Answer(false) : all_known ? Answer(true) : std::nullopt;
  if (key == "anyOf") return yes > 0 ? Answer(true) : all_known ? Answer(false) : std::nullopt;
  return yes > 1 ? Answer(false) : all_known ? Answer(yes == 1) : std::nullopt;
}

FLASHLM_INLINE JsonSchemaValues::Answer JsonSchemaValues::number(const Json& value,
                                                                 const Place& place,
                                                                 const std::string& key) {
  const Json& said = *view_->find(place, key);
  const auto excludes = [&](const char* other) {  // draft 4 has a flag beside the bound
    const Json* flag = view_->find(place, other);
    return flag != nullptr && *flag == true;
  };
  if (said.is_boolean() && key.starts_with("exclusive")) return true;
  if (!said.is_number()) view_->wrong(place, key, "a number");
  if (key == "minimum") return excludes("exclusiveMinimum") ? value > said : value >= said;
  if (key == "maximum") return excludes("exclusiveMaximum") ? value < said : value <= said;
  if (key == "exclusiveMinimum") return value > said;
  if (key == "exclusiveMaximum") return value < said;
  const double divisor = said.get<double>();
  if (View::kind_of(said) != kJsonWhole || std::abs(value.get<double>()) > 1e15)
    return std::nullopt;
  return std::fmod(value.get<double>(), divisor) == 0;
}

FLASHLM_INLINE JsonSchemaValues::Answer JsonSchemaValues::string(const std::string& text,
                                                                 const Place& place,
                                                                 const std::string& key) {
  if (key == "pattern") return patterns_->found(view_->word(place, key), text);
  const auto length = static_cast<std::uint64_t>(
      std::count_if(text.begin(), text.end(), [](char byte) { return (byte & 0xC0) != 0x80; }));
  const std::uint64_t bound = view_->count(place, key, 0);
  return key == "minLength" ? length >= bound : length <= bound;
}

FLASHLM_INLINE JsonSchemaValues::Answer JsonSchemaValues::array(const Json& value,
                                                                const Place& place,
                                                                const std::string& key, int depth) {
  if (key == "minItems") return value.size() >= view_->count(place, key, 0);
  if (key == "maxItems") return value.size() <= view_->count(place, key, 0);
  if (key == kJsonSchemaUnique) {
    if (!view_->flag(place, key)) return true;
    for (std::size_t one = 0; one < value.size(); ++one) {
      for (std::size_t other = one + 1; other < value.size(); ++other) {
        if (++steps_ > kMostSteps) return std::nullopt;
        if (same_value(value[one], value[other])) return false;
      }
    }
    return true;
  }
  const Json* items = view_->find(place, "items");
  const bool is_list = items != nullptr && items->is_array();  // before draft 2020-12
  const char* first = is_list ? "items" : "prefixItems";
  const std::size_t n_first =
      view_->find(place, first) == nullptr ? 0 : view_->find(place, first)->size();
  if (key == "additionalItems" && !is_list) return true;
  if (key == "contains" || key == "unevaluatedItems") return std::nullopt;
  Answer result = true;
  const bool is_first = key == first;
  const std::vector<Place> list = is_first ? view_->elements(place, key) : std::vector<Place>();
  for (std::size_t index = is_first ? 0 : n_first;
       index < (is_first ? std::min(n_first, value.size()) : value.size()); ++index) {
    result = both(result,
                  judge(value[index], is_first ? list[index] : view_->at(place, key), depth + 1));
  }
  return result;
}

FLASHLM_INLINE JsonSchemaValues::Answer JsonSchemaValues::object(const Json& value,
                                                                 const Place& place,
                                                                 const std::string& key,
                                                                 int depth) {
  if (key == "minProperties") return value.size() >= view_->count(place, key, 0);
  if (key == "maxProperties") return value.size() <= view_->count(place, key, 0);
  const auto has_all = [&](const std::vector<std::string>& names) {
    return std::all_of(names.begin(), names.end(),
                       [&](const std::string& name) { return value.contains(name); });
  };
  if (key == "required") return has_all(view_->names(place, key));
  Answer result = true;
  if (key == "properties") {
    for (const auto& [name, member] : view_->members(place, key)) {
      if (value.contains(name)) result = both(result, judge(value[name], member, depth + 1));
    }
  } else if (key == "patternProperties" || key == "additionalProperties") {
    const auto patterns = view_->members(place, "patternProperties");
    const Json* properties = view_->find(place, "properties");
    for (auto each = value.begin(); each != value.end(); ++each) {
      Answer is_named = properties != nullptr && properties->contains(each.key());
      for (const auto& [pattern, member] : patterns) {
        const Answer is_found = patterns_->found(pattern, each.key());
        is_named = inverse(both(inverse(is_named), inverse(is_found)));
        if (key == "additionalProperties" || is_found == false) continue;
        const Answer good = judge(each.value(), member, depth + 1);
        result = both(result, is_found || good == true ? good : std::nullopt);
      }
      if (key != "additionalProperties" || is_named == true) continue;
      const Answer good = judge(each.value(), view_->at(place, key), depth + 1);
      result = both(result, is_named || good == true ? good : std::nullopt);
    }
  } else if (key == "propertyNames") {
    for (auto each = value.begin(); each != value.end(); ++each) {
      result = both(result, judge(Json(each.key()), view_->at(place, key), depth + 1));
    }
  } else if (key == "dependentRequired" || key == "dependentSchemas" || key == "dependencies") {
    for (const auto& [name, member] : view_->members(place, key)) {
      if (!value.contains(name)) continue;
      result = both(result, member.json->is_array()
                                ? Answer(has_all(view_->names(view_->at(place, key), name)))
                                : judge(value, member, depth + 1));
    }
  } else {
    return std::nullopt;
  }
  return result;
}

}  // namespace flashlm::inline FLASHLM_ABI::text
