// SPDX-License-Identifier: Apache-2.0
/// json_schema_overlap.ipp: the bodies of json_schema_overlap.hpp.
#pragma once

#include "flashlm/text/grammar/schema/json_schema_overlap.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE bool JsonSchemaOverlap::apart(const Place& place, const Place& one,
                                             const Place& other) {
  if (compared_ > kMostCompared)
    view_->unsupported(place, "oneOf", "too many alternatives to compare. Use anyOf");
  unsigned written = kinds(one, 0) & types_;
  // Where nothing says a type, rules write the types that keywords are about: all that there may
  // be, if some is sure.
  const bool is_sure = sure_ != 0 || (!hides(one) && own_about(one) != 0);
  if (written == kJsonAny && is_sure) written = about(one, 0) | about_;
  return apart(one, other, written, 0);
}

FLASHLM_INLINE unsigned JsonSchemaOverlap::own_kinds(const Place& place) const {
  if (!place.json->is_object()) return *place.json == false ? 0U : kJsonAny + 0U;
  unsigned result = view_->kinds(place);
  if (lists_values(place)) {
    unsigned listed = 0;
    for (const Place& each : values(place)) listed |= View::kind_of(*each.json);
    result &= listed;
  }
  const Json* nullable = view_->find(place, "nullable");
  return nullable != nullptr && *nullable == true ? result | kJsonNull : result;
}

FLASHLM_INLINE unsigned JsonSchemaOverlap::kinds(const Place& place, int depth) {
  if (depth > kDeepest || !place.json->is_object()) return own_kinds(place);
  const Json* nullable = view_->find(place, "nullable");
  if (nullable != nullptr && *nullable == true) return kJsonAny;
  if (hides(place)) return kinds(referred(place), depth + 1);
  unsigned result = own_kinds(place);
  if (view_->find(place, "$ref") != nullptr) result &= kinds(referred(place), depth + 1);
  for (const char* keyword : {"allOf", "anyOf", "oneOf"}) {
    if (view_->find(place, keyword) == nullptr) continue;
    const bool all = std::string_view(keyword) == "allOf";
    unsigned either = 0;
    for (const Place& part : view_->elements(place, keyword)) {
      const unsigned one = kinds(part, depth + 1);
      if (all) result &= one;
      either |= one;
    }
    if (!all) result &= either;
  }
  return result;
}

FLASHLM_INLINE unsigned JsonSchemaOverlap::own_about(const Place& place) const {
  unsigned result = 0;
  if (!place.json->is_object()) return result;
  for (auto each = place.json->begin(); each != place.json->end(); ++each) {
    const unsigned kinds = json_kinds_of_word(each.key());
    if (kinds != kJsonAny) result |= kinds;
  }
  return result;
}

FLASHLM_INLINE unsigned JsonSchemaOverlap::about(const Place& place, int depth) {
  if (!place.json->is_object()) return 0;
  if (depth > kDeepest) return kJsonAny;
  if (view_->find(place, "type") != nullptr) return kJsonAny;  // then that counts
  unsigned result = own_about(place);
  if (view_->find(place, "$ref") != nullptr) result |= about(referred(place), depth + 1);
  for (const char* keyword : {"allOf", "anyOf", "oneOf"}) {
    if (view_->find(place, keyword) == nullptr) continue;
    for (const Place& part : view_->elements(place, keyword)) result |= about(part, depth + 1);
  }
  for (const char* keyword : {"not", "if", "then", "else"}) {
    if (view_->find(place, keyword) != nullptr) return kJsonAny;
  }
  return result;
}

FLASHLM_INLINE bool JsonSchemaOverlap::hides(const Place& place) const {
  return view_->reference_hides() && view_->find(place, "$ref") != nullptr;
}

FLASHLM_INLINE std::vector<JsonSchemaOverlap::Place> JsonSchemaOverlap::values(
    const Place& place) const {
  const Json* fixed = view_->find(place, "const");
  if (fixed != nullptr) return {view_->down(place, "const", *fixed)};
  return view_->elements(place, "enum");
}

FLASHLM_INLINE bool JsonSchemaOverlap::lists_values(const Place& place) const {
  return view_->find(place, "const") != nullptr || view_->find(place, "enum") != nullptr;
}

FLASHLM_INLINE bool JsonSchemaOverlap::apart(const Place& one, const Place& other, unsigned written,
                                             int depth) {
  if (depth > kDeepest || ++compared_ > kMostCompared) return false;
  if (*one.json == false || *other.json == false) return true;
  if (!one.json->is_object() || !other.json->is_object()) return false;
  const unsigned common = written & kinds(other, 0);
  if (common == 0 || all_fail(one, other) || all_fail(other, one)) return true;
  if (parts_apart(one,
                  [&](const Place& part) {
                    return apart(part, other, written & kinds(part, 0), depth + 1);
                  }) ||
      parts_apart(other, [&](const Place& part) { return apart(one, part, written, depth + 1); })) {
    return true;
  }
  return common == kJsonObject && properties_apart(one, other, depth);
}

FLASHLM_INLINE bool JsonSchemaOverlap::all_fail(const Place& lists, const Place& other) {
  const Json* nullable = view_->find(lists, "nullable");
  if (!lists_values(lists) || hides(lists) || (nullable != nullptr && *nullable == true))
    return false;
  const std::vector<Place> all = values(lists);
  compared_ += all.size();
  return std::all_of(all.begin(), all.end(),
                     [&](const Place& each) { return values_->meets(*each.json, other) == false; });
}

FLASHLM_INLINE bool JsonSchemaOverlap::requires_name(const Place& place,
                                                     const std::string& name) const {
  const std::vector<std::string> names = view_->names(place, "required");
  return std::find(names.begin(), names.end(), name) != names.end();
}

FLASHLM_INLINE bool JsonSchemaOverlap::properties_apart(const Place& left, const Place& right,
                                                        int depth) {
  if (hides(left) || hides(right)) return false;
  const auto of_right = view_->members(right, "properties");
  for (const auto& one : view_->members(left, "properties")) {
    const auto same = std::find_if(of_right.begin(), of_right.end(),
                                   [&](const auto& each) { return each.first == one.first; });
    if (same != of_right.end() && requires_name(left, one.first) &&
        requires_name(right, one.first) &&
        apart(one.second, same->second, kinds(one.second, 0), depth + 1)) {
      return true;
    }
  }
  return false;
}

}  // namespace flashlm::inline FLASHLM_ABI::text
