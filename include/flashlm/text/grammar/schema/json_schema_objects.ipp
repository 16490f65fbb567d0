// SPDX-License-Identifier: Apache-2.0
/// json_schema_objects.ipp: the bodies of json_schema_objects.hpp.
#pragma once

#include "flashlm/text/grammar/schema/json_schema_objects.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/text/grammar/schema/json_schema_strings.hpp"
#include "flashlm/text/grammar/schema/json_schema_words.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE JsonSchemaObjects::Node JsonSchemaObjects::rule() {
  std::uint64_t least = 0;
  std::uint64_t most = kNoLimit;
  const Place* bounds = nullptr;
  for (const Part& part : *parts_) {
    least = std::max(least, view().count(part.place, "minProperties", 0));
    most = std::min(most, view().count(part.place, "maxProperties", kNoLimit));
    if (view().find(part.place, "minProperties") != nullptr) bounds = &part.place;
  }
  if (!read_properties()) return context_->json.nothing();
  const std::optional<Node> other = other_pair();
  if (!other && most >= properties_.size()) most = kNoLimit;
  if (most != kNoLimit) most = std::min(most, kMostCounted);  // fewer are good too
  if (least > most) return context_->json.nothing();
  if (least > kMostCounted)
    view().unsupported(*bounds, "minProperties", concat("expected at most ", kMostCounted));
  return rules().literal("{", after_properties(other, least, most));
}

FLASHLM_INLINE JsonSchemaObjects::Node JsonSchemaObjects::after_properties(
    const std::optional<Node>& other, std::uint64_t least, std::uint64_t most) {
  const std::uint64_t counted = std::max<std::uint64_t>(most == kNoLimit ? least : most, 1);
  const Node close = rules().literal("}", JsonRules::end());
  // What may follow when `done` properties stand there, or `counted` of them and more; [counted +
  // 1].
  std::vector<Node> after(counted + 1);
  for (std::uint64_t done = 0; done <= counted; ++done) {
    std::vector<Node> ways;
    if (done >= least) ways.push_back(close);
    const std::uint64_t room = most == kNoLimit ? kNoLimit : most - done;
    // Others may get one name twice: all of them count as one where a number is asked for.
    if (other && room > 0 && done + 1 >= least) {
      const Node rest =
          context_->json.more_items(*other, 0, room == kNoLimit ? room : room - 1, close);
      const Node first = rules().call(*other, rest);
      ways.push_back(done > 0 ? rules().literal(", ", first) : first);
    }
    after[done] = rules().either(ways);
  }
  for (std::size_t index = properties_.size(); index-- > 0;) {
    const Property& property = properties_[index];
    const Node what = context_->rule_of(property.parts);
    const std::string name = view().quoted(view().root(), property.name) + ": ";
    std::vector<Node> here(counted + 1);
    std::optional<Node> last;  // the pair, when `counted` of them stand there then
    for (std::uint64_t done = counted + 1; done-- > 0;) {
      std::vector<Node> ways;
      if (done < most) {
        const bool is_last = done + 1 >= counted;
        const Node then =
            is_last && last
                ? *last
                : rules().literal(name, rules().call(what, after[std::min(done + 1, counted)]));
        if (is_last) last = then;
        ways.push_back(done > 0 ? rules().literal(", ", then) : then);
      }
      if (!property.required) ways.push_back(after[done]);
      here[done] = rules().either(ways);
    }
    after = std::move(here);
  }
  return after[0];
}

FLASHLM_INLINE bool JsonSchemaObjects::read_properties() {
  const auto add = [&](const std::string& name) -> Property& {
    const auto found = std::find_if(properties_.begin(), properties_.end(),
                                    [&](const Property& one) { return one.name == name; });
    return found != properties_.end() ? *found
                                      : properties_.emplace_back(Property{name, {}, false});
  };
  for (const Part& part : *parts_) {
    for (const auto& [name, member] : view().members(part.place, "properties")) add(name);
  }
  for (const Part& part : *parts_) {
    for (const std::string& name : view().names(part.place, "required")) add(name).required = true;
  }
  for (Property& property : properties_) taken_.push_back(property.name);
  bool result = true;
  std::erase_if(properties_, [&](Property& property) {
    const bool good = may_be_named(property.name);
    if (good) property.parts = parts_of(property.name);
    if (!good && property.required) result = false;
    return !good;
  });
  return result;
}

FLASHLM_INLINE bool JsonSchemaObjects::may_be_named(const std::string& name) {
  for (const Part& part : *parts_) {
    if (view().find(part.place, "propertyNames") == nullptr) continue;
    const std::optional<bool> answer =
        context_->values.meets(Json(name), view().at(part.place, "propertyNames"));
    if (!answer) view().unsupported(part.place, "propertyNames");
    if (!*answer) return false;
  }
  return true;
}

FLASHLM_INLINE JsonSchemaObjects::Parts JsonSchemaObjects::parts_of(const std::string& name) {
  Parts result;
  for (const Part& part : *parts_) {
    std::optional<bool> is_named = false;
    const Json* properties = view().find(part.place, "properties");
    if (properties != nullptr && properties->contains(name)) {
      result.push_back(
          {view().down(view().at(part.place, "properties"), name, (*properties)[name]), 0, {}});
      is_named = true;
    }
    for (const auto& [pattern, member] : view().members(part.place, "patternProperties")) {
      const std::optional<bool> found = context_->patterns.found(pattern, name);
      if (found == false) continue;
      result.push_back({member, 0, {}});  // also where readers differ: whoever finds it is content
      if (is_named == false) is_named = found;
    }
    if (is_named != true && view().find(part.place, "additionalProperties") != nullptr) {
      result.push_back({view().at(part.place, "additionalProperties"), 0, {}});
    }
  }
  return result;
}

FLASHLM_INLINE std::optional<JsonSchemaObjects::Node> JsonSchemaObjects::other_pair() {
  bool has_properties = false;
  bool is_open = false;
  bool is_closed = false;
  std::vector<std::string> patterns;
  for (const Part& part : *parts_) {
    has_properties = has_properties || view().find(part.place, "properties") != nullptr;
    if (const Json* additional = view().find(part.place, "additionalProperties")) {
      (*additional == false ? is_closed : is_open) = true;
    }
    for (const auto& [pattern, member] : view().members(part.place, "patternProperties")) {
      if (std::find(patterns.begin(), patterns.end(), pattern) == patterns.end())
        patterns.push_back(pattern);
    }
  }
  std::vector<Node> ways;
  for (const std::string& pattern : patterns) add_others(&pattern, patterns, ways);
  if (!is_closed && (is_open || (!has_properties && patterns.empty())))
    add_others(nullptr, patterns, ways);
  if (ways.empty()) return std::nullopt;
  return rules().either(ways);
}

FLASHLM_INLINE void JsonSchemaObjects::add_others(const std::string* pattern,
                                                  const std::vector<std::string>& patterns,
                                                  std::vector<Node>& ways) {
  Parts what;
  for (const Part& part : *parts_) {
    const Json* named = view().find(part.place, "patternProperties");
    if (pattern != nullptr && named != nullptr && named->contains(*pattern)) {
      const Place list = view().at(part.place, "patternProperties");
      what.push_back({view().down(list, *pattern, (*named)[*pattern]), 0, {}});
    } else if (view().find(part.place, "additionalProperties") != nullptr) {
      what.push_back({view().at(part.place, "additionalProperties"), 0, {}});
    }
    if (!what.empty() && *what.back().place.json == false) return;
  }
  const Node value = rules().literal(": ", rules().call(context_->rule_of(what), JsonRules::end()));
  std::optional<PatternStates> names = names_of_schema();
  const Place* place = &parts_->front().place;
  for (const Part& part : *parts_) {
    if (view().find(part.place, "patternProperties") != nullptr) place = &part.place;
  }
  try {
    const auto join = [&](const PatternStates& more) {
      names = names ? PatternStates::both(*names, more) : more;
    };
    if (pattern != nullptr) join(context_->patterns.states(*pattern, PatternReading::certain));
    for (const std::string& other : patterns) {
      if (pattern != nullptr && other == *pattern) continue;
      join(context_->patterns.states(other, PatternReading::possible).complement());
    }
    if (!names) return ways.push_back(context_->json.other_string(taken_, value));
    join(PatternStates::of_words(taken_).complement());
  } catch (const FormatError& error) {
    view().unsupported(*place, "patternProperties", error.what());
  }
  if (!names->empty()) ways.push_back(rules().call(context_->strings.rule(*names), value));
}

FLASHLM_INLINE std::optional<PatternStates> JsonSchemaObjects::names_of_schema() {
  Parts parts;
  const Place* place = nullptr;
  for (const Part& part : *parts_) {
    if (view().find(part.place, "propertyNames") == nullptr) continue;
    parts.push_back({view().at(part.place, "propertyNames"), 0, {}});
    place = &part.place;
  }
  if (parts.empty()) return std::nullopt;
  const std::optional<Parts> flat = context_->splitter.flat(parts);
  if (!flat) return PatternStates::of_words({});
  if (const std::optional<std::vector<Place>> listed = context_->listed(*flat)) {
    std::vector<std::string> words;
    for (const Place& each : *listed) {
      if (each.json->is_string()) words.push_back(each.json->get<std::string>());
    }
    return PatternStates::of_words(words);
  }
  if (context_->splitter.alternatives(*flat))
    view().unsupported(*place, "propertyNames", "with alternatives");
  for (const Part& part : *flat) {
    if ((view().kinds(part.place) & kJsonString) == 0) return PatternStates::of_words({});
  }
  return JsonSchemaStrings(*context_, *flat).states();
}

}  // namespace flashlm::inline FLASHLM_ABI::text
