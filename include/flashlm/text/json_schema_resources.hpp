// SPDX-License-Identifier: Apache-2.0
/// json_schema_resources.hpp: the parts of a JSON schema that have a name of their own, `$id` or `$anchor`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/error.hpp"

namespace flashlm::inline v0::text {

/// A value in a schema and its JSON pointer (RFC 6901). `resource`: the part with an `$id` that it belongs to, from
/// where its references count; 0 is the whole schema.
struct JsonSchemaPlace {
  const nlohmann::ordered_json* json = nullptr;
  std::string pointer;
  int depth = 0;
  std::size_t resource = 0;
};

/// A pointer with one more key.
inline std::string json_pointer(const std::string& pointer, std::string_view key) {
  std::string result = pointer + "/";
  for (const char each : key) {
    result += each == '~' ? "~0" : each == '/' ? "~1" : std::string(1, each);
  }
  return result;
}

/// The parts of a schema with names. Values that are data, such as those of `enum`, are not looked into.
class JsonSchemaResources {
 public:
  using Json = nlohmann::ordered_json;
  using Place = JsonSchemaPlace;

  /// `id`: the keyword that names a part. Throws FormatError for a schema that is nested too deep.
  JsonSchemaResources(const Json& root, const char* id) {
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
          throw FormatError(concat("[json_schema] #: expected at most ", kDeepest, " levels, got more"));
        }
        const bool holds_names = is_schema && place.json->is_object() && holds_named(key);
        waiting.push_back({{&*each, json_pointer(place.pointer, key), place.depth + 1, place.resource}, !holds_names});
      }
    }
  }

  /// Where a part begins: its number, or `otherwise` if `json` is no such beginning.
  std::size_t of(const Json& json, std::size_t otherwise) const {
    const auto found = by_json_.find(&json);
    return found == by_json_.end() ? otherwise : found->second;
  }

  const Place& place(std::size_t resource) const { return resources_[resource].first; }

  /// The part that `from` calls `uri`; the number of parts if there is none.
  std::size_t find(std::string_view uri, std::size_t from) const {
    if (uri.empty()) return from;
    // Relative names would count from the base; only where that is the root are they taken as they stand.
    if (uri.find(':') == std::string_view::npos && from != 0) return resources_.size();
    std::size_t resource = 0;
    while (resource < resources_.size() && resources_[resource].second != uri) ++resource;
    return resource;
  }
  std::size_t size() const noexcept { return resources_.size(); }

  /// The place with an anchor; null if there is none.
  const Place* anchor(std::size_t resource, const std::string& name) const {
    const auto found = anchors_.find({resource, name});
    return found == anchors_.end() ? nullptr : &found->second;
  }

 private:
  struct Waiting {
    Place place;
    bool is_schema;  // else its members are schemas, and their keys are names
  };

  static constexpr int kDeepest = 256;

  static bool holds_data(std::string_view key) {
    return key == "const" || key == "enum" || key == "default" || key == "example" || key == "examples";
  }
  static bool holds_named(std::string_view key) {
    return key == "properties" || key == "patternProperties" || key == "$defs" || key == "definitions" ||
           key == "dependentSchemas" || key == "dependencies";
  }

  std::size_t add(Place place, std::string uri) {
    place.depth = 0;
    place.resource = resources_.size();
    by_json_[place.json] = place.resource;
    resources_.emplace_back(std::move(place), std::move(uri));
    return resources_.size() - 1;
  }

  void read_names(Place& place, const char* id) {
    if (!place.json->is_object()) return;
    const auto read = [&](const char* keyword) -> std::string {
      const auto found = place.json->find(keyword);
      return found != place.json->end() && found->is_string() ? found->get<std::string>() : std::string();
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

  std::vector<std::pair<Place, std::string>> resources_;  // and how their `$id` is written, without '#'
  std::map<const Json*, std::size_t> by_json_;
  std::map<std::pair<std::size_t, std::string>, Place> anchors_;
};

}  // namespace flashlm::inline v0::text
