// SPDX-License-Identifier: Apache-2.0
/// json_schema_overlap.hpp: whether a value can meet two schemas at once, which oneOf forbids.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/error.hpp"
#include "flashlm/text/json_schema_view.hpp"
#include "flashlm/text/json_value.hpp"

namespace flashlm::inline v0::text {

/// Compares the alternatives of a oneOf. It says that two are apart only where that is certain: their types differ,
/// they list other values, or both require a property whose schemas are apart.
class JsonSchemaOverlap {
 public:
  using View = JsonSchemaView;
  using Json = View::Json;
  using Place = View::Place;

  explicit JsonSchemaOverlap(const View& view) : view_(&view) {}

  /// Throws FormatError for two alternatives that a value might meet both.
  void check_apart(const Place& place, const std::vector<Place>& parts) {
    for (std::size_t left = 0; left < parts.size(); ++left) {
      for (std::size_t right = left + 1; right < parts.size(); ++right) {
        if (++compared_ > kMostCompared) view_->refuse(place, "oneOf: too many alternatives to compare. Use anyOf.");
        if (!apart(parts[left], parts[right], 0)) {
          view_->refuse(
              place, concat("oneOf: expected alternatives that differ in type, const or a required const, got ", left,
                            " and ", right, ", which may overlap. Use anyOf."));
        }
      }
    }
  }

 private:
  static constexpr int kDeepest = 8;
  static constexpr std::size_t kMostCompared = 20'000;

  enum Kind : unsigned {
    null = 1,
    boolean = 2,
    whole = 4,
    broken = 8,
    string = 16,
    array = 32,
    object = 64,
    all = 127
  };

  static unsigned kinds(const Json& value) {
    if (value.is_number()) return View::is_of_type(value, "integer") ? whole : broken;
    return kinds(std::string(value.type_name()));
  }

  static unsigned kinds(const std::string& type) {
    if (type == "null") return null;
    if (type == "boolean") return boolean;
    if (type == "integer") return whole;
    if (type == "number") return whole | broken;
    if (type == "string") return string;
    if (type == "array") return array;
    return type == "object" ? object : all;
  }

  /// What `place` refers to, as far as a few references tell.
  Place followed(Place place) const {
    for (int step = 0; step < kDeepest && place.json->is_object(); ++step) {
      const Json* reference = view_->find(place, "$ref");
      if (reference == nullptr || !reference->is_string()) break;
      place = view_->resolve(reference->get_ref<const std::string&>(), &place);
    }
    return place;
  }

  std::vector<Place> values(const Place& place) const {
    const Json* fixed = view_->find(place, "const");
    if (fixed != nullptr) return {view_->down(place, "const", *fixed)};
    const Json* list = view_->find(place, "enum");
    return list != nullptr && list->is_array() ? view_->elements(place, "enum") : std::vector<Place>();
  }

  bool lists_values(const Place& place) const {
    return view_->find(place, "const") != nullptr || view_->find(place, "enum") != nullptr;
  }

  unsigned kinds_of(const Place& place) const {
    unsigned result = 0;
    if (lists_values(place)) {
      for (const Place& each : values(place)) result |= kinds(*each.json);
    } else {
      for (const std::string& type : view_->types(place)) result |= kinds(type);
    }
    const Json* nullable = view_->find(place, "nullable");
    return nullable != nullptr && *nullable == true ? result | null : result;
  }

  bool apart(const Place& first, const Place& second, int depth) {
    if (depth > kDeepest || ++compared_ > kMostCompared) return false;
    const Place left = followed(first);
    const Place right = followed(second);
    if (!left.json->is_object() || !right.json->is_object()) {
      return *left.json == false || *right.json == false;
    }
    if (const std::optional<bool> result = parts_apart(left, right, depth)) return *result;
    if (const std::optional<bool> result = parts_apart(right, left, depth)) return *result;
    const unsigned common = kinds_of(left) & kinds_of(right);
    if (common == 0) return true;
    if (lists_values(left) && lists_values(right)) return no_common_value(left, right);
    return common == object && !lists_values(left) && !lists_values(right) && properties_apart(left, right, depth);
  }

  /// Whether all parts of a schema that is made of parts are apart from another one.
  std::optional<bool> parts_apart(const Place& composed, const Place& other, int depth) {
    for (const char* keyword : {"anyOf", "oneOf", "allOf"}) {
      if (view_->find(composed, keyword) == nullptr) continue;
      const std::vector<Place> parts = view_->elements(composed, keyword);
      return std::all_of(parts.begin(), parts.end(), [&](const Place& part) { return apart(part, other, depth + 1); });
    }
    return std::nullopt;
  }

  bool no_common_value(const Place& left, const Place& right) {
    for (const Place& one : values(left)) {
      for (const Place& other : values(right)) {
        if (++compared_ > kMostCompared || same_value(*one.json, *other.json)) return false;
      }
    }
    return true;
  }

  bool requires_name(const Place& place, const std::string& name) const {
    const Json* required = view_->find(place, "required");
    return required != nullptr && required->is_array() &&
           std::find(required->begin(), required->end(), Json(name)) != required->end();
  }

  bool properties_apart(const Place& left, const Place& right, int depth) {
    if (view_->find(left, "properties") == nullptr || view_->find(right, "properties") == nullptr) return false;
    const auto of_right = view_->members(right, "properties");
    for (const auto& one : view_->members(left, "properties")) {
      const auto same =
          std::find_if(of_right.begin(), of_right.end(), [&](const auto& each) { return each.first == one.first; });
      if (same != of_right.end() && requires_name(left, one.first) && requires_name(right, one.first) &&
          apart(one.second, same->second, depth + 1)) {
        return true;
      }
    }
    return false;
  }

  const View* view_;
  std::size_t compared_ = 0;
};

}  // namespace flashlm::inline v0::text
