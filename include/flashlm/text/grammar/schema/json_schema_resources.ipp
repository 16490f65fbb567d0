// SPDX-License-Identifier: Apache-2.0
/// json_schema_resources.ipp: the bodies of json_schema_resources.hpp.
#pragma once

#include "flashlm/text/grammar/schema/json_schema_resources.hpp"

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE std::string json_pointer(const std::string& pointer, std::string_view key) {
  std::string result = pointer + "/";
  for (const char each : key) {
    result += each == '~' ? "~0" : each == '/' ? "~1" : std::string(1, each);
  }
  return result;
}

FLASHLM_INLINE JsonSchemaResources::JsonSchemaResources(const Json& root, const char* id) {
  add({&root, "#", 0, 0}, "");
  std::vector<Waiting> waiting = {{{&root, "#", 0, 0}, true}};
  while (!waiting.empty()) {
    auto [place, is_schema] = std::move(waiting.back());
    waiting.pop_back();
    if (is_schema) read_names(place, id);
    std::size_t index = 0;
    for (auto each = place.json->begin(); each != place.json->end(); ++each, ++index) {
      if (!each->is_structured()) continue;
      const std::string key = place.json->is_object() ? each.key() : std::to_string(index);
      if (is_schema && holds_data(key)) continue;
      if (place.depth == kDeepest) {
        throw FormatError(
            concat("[json_schema] #: expected at most ", kDeepest, " levels, got more"));
      }
      const bool holds_names = is_schema && place.json->is_object() && holds_named(key);
      waiting.push_back(
          {{&*each, json_pointer(place.pointer, key), place.depth + 1, place.resource},
           !holds_names});
    }
  }
}

FLASHLM_INLINE std::size_t JsonSchemaResources::of(const Json& json, std::size_t otherwise) const {
  const auto found = by_json_.find(&json);
  return found == by_json_.end() ? otherwise : found->second;
}

FLASHLM_INLINE std::size_t JsonSchemaResources::find(std::string_view uri, std::size_t from) const {
  if (uri.empty()) return from;
  // Relative names would count from the base; only where that is the root are they taken as they
  // stand.
  if (uri.find(':') == std::string_view::npos && from != 0) return resources_.size();
  std::size_t resource = 0;
  while (resource < resources_.size() && resources_[resource].second != uri) ++resource;
  return resource;
}

FLASHLM_INLINE const JsonSchemaResources::Place* JsonSchemaResources::anchor(
    std::size_t resource, const std::string& name) const {
  const auto found = anchors_.find({resource, name});
  return found == anchors_.end() ? nullptr : &found->second;
}

FLASHLM_INLINE bool JsonSchemaResources::holds_data(std::string_view key) {
  return key == "const" || key == "enum" || key == "default" || key == "example" ||
         key == "examples";
}

FLASHLM_INLINE bool JsonSchemaResources::holds_named(std::string_view key) {
  return key == "properties" || key == "patternProperties" || key == "$defs" ||
         key == "definitions" || key == "dependentSchemas" || key == "dependencies";
}

FLASHLM_INLINE std::size_t JsonSchemaResources::add(Place place, std::string uri) {
  place.depth = 0;
  place.resource = resources_.size();
  by_json_[place.json] = place.resource;
  resources_.emplace_back(std::move(place), std::move(uri));
  return resources_.size() - 1;
}

FLASHLM_INLINE void JsonSchemaResources::read_names(Place& place, const char* id) {
  if (!place.json->is_object()) return;
  const auto read = [&](const char* keyword) -> std::string {
    const auto found = place.json->find(keyword);
    return found != place.json->end() && found->is_string() ? found->get<std::string>()
                                                            : std::string();
  };
  const std::string named = read(id);
  const std::string uri = named.substr(0, named.find('#'));
  if (place.pointer == "#") {
    resources_.front().second = uri;
  } else if (!uri.empty()) {
    place.resource = add(place, uri);
  }
  const auto add_anchor = [&](const std::string& name) {
    if (!name.empty()) anchors_.try_emplace({place.resource, name}, place).first->second.depth = 0;
  };
  if (named.starts_with('#')) add_anchor(named.substr(1));
  add_anchor(read("$anchor"));
}

}  // namespace flashlm::inline FLASHLM_ABI::text
