// SPDX-License-Identifier: Apache-2.0
/// json_schema_view.ipp: the bodies of json_schema_view.hpp.
#pragma once

#include "flashlm/text/grammar/schema/json_schema_view.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <system_error>

#include "flashlm/text/grammar/json/json_rules.hpp"
#include "flashlm/text/grammar/schema/json_schema_words.hpp"
#include "flashlm/text/unicode/utf8.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE JsonKeywordError::JsonKeywordError(const std::string& message, std::string pointer,
                                                  std::string keyword)
    : FormatError(message), pointer_(std::move(pointer)), keyword_(std::move(keyword)) {}

FLASHLM_INLINE JsonSchemaView::JsonSchemaView(const Json& root)
    : draft_(draft(root)), resources_(root, draft_ <= 4 ? "id" : "$id") {}

FLASHLM_INLINE bool JsonSchemaView::has_parts(const Place& place) const {
  for (std::size_t resource = 1; resource < resources_.size(); ++resource) {
    if (resources_.place(resource).pointer.starts_with(place.pointer + "/")) return true;
  }
  return false;
}

FLASHLM_INLINE void JsonSchemaView::refuse(const Place& place, std::string_view problem) const {
  throw FormatError(concat("[json_schema] ", shown(place), ": ", problem));
}

FLASHLM_INLINE void JsonSchemaView::wrong(const Place& place, std::string_view keyword,
                                          std::string_view expected) const {
  const Json* found = find(place, keyword);
  // A container is only named: to print it would recurse as deeply as it likes.
  const bool small = found != nullptr && !found->is_structured();
  const std::string got =
      small ? found->dump(-1, ' ', true, Json::error_handler_t::replace)
            : concat("an ", found == nullptr ? "absent value" : found->type_name());
  throw JsonKeywordError(
      concat("[json_schema] ", shown(place), ": ", keyword, ": expected ", expected, ", got ", got),
      place.pointer, std::string(keyword));
}

FLASHLM_INLINE void JsonSchemaView::unsupported(const Place& place, std::string_view keyword,
                                                std::string_view why) const {
  throw JsonKeywordError(concat("[json_schema] ", shown(place), ": unsupported keyword '", keyword,
                                "'", why.empty() ? "" : ": ", why,
                                ". Take it out of the schema and check for it in the answer, or "
                                "give the schema to a tool."),
                         place.pointer, std::string(keyword));
}

FLASHLM_INLINE const JsonSchemaView::Json* JsonSchemaView::find(const Place& place,
                                                                std::string_view keyword) const {
  if (!place.json->is_object()) return nullptr;
  const auto found = place.json->find(keyword);
  return found == place.json->end() ? nullptr : &*found;
}

FLASHLM_INLINE JsonSchemaView::Place JsonSchemaView::down(const Place& place, std::string_view key,
                                                          const Json& json) const {
  if (place.depth >= kDeepest)
    refuse(place, concat("expected at most ", kDeepest, " levels, got more"));
  return {&json, json_pointer(place.pointer, key), place.depth + 1,
          resources_.of(json, place.resource)};
}

FLASHLM_INLINE JsonSchemaView::Place JsonSchemaView::at(const Place& place,
                                                        std::string_view keyword) const {
  return down(place, keyword, *find(place, keyword));
}

FLASHLM_INLINE std::vector<JsonSchemaView::Place> JsonSchemaView::elements(
    const Place& place, std::string_view keyword) const {
  const Json* list = find(place, keyword);
  if (list == nullptr || !list->is_array()) wrong(place, keyword, "an array");
  const Place parent = down(place, keyword, *list);
  std::vector<Place> result;
  for (std::size_t index = 0; index < list->size(); ++index) {
    result.push_back(down(parent, std::to_string(index), (*list)[index]));
  }
  return result;
}

FLASHLM_INLINE std::vector<std::pair<std::string, JsonSchemaView::Place>> JsonSchemaView::members(
    const Place& place, std::string_view keyword) const {
  const Json* object = find(place, keyword);
  if (object == nullptr) return {};
  if (!object->is_object()) wrong(place, keyword, "an object");
  const Place parent = down(place, keyword, *object);
  std::vector<std::pair<std::string, Place>> result;
  for (auto each = object->begin(); each != object->end(); ++each) {
    result.emplace_back(each.key(), down(parent, each.key(), each.value()));
  }
  return result;
}

FLASHLM_INLINE std::vector<std::string> JsonSchemaView::names(const Place& place,
                                                              std::string_view keyword) const {
  if (find(place, keyword) == nullptr) return {};
  std::vector<std::string> result;
  for (const Place& name : elements(place, keyword)) {
    if (!name.json->is_string()) wrong(place, keyword, "a list of names");
    result.push_back(name.json->get<std::string>());
  }
  return result;
}

FLASHLM_INLINE std::uint64_t JsonSchemaView::count(const Place& place, std::string_view keyword,
                                                   std::uint64_t fallback) const {
  const Json* found = find(place, keyword);
  if (found == nullptr) return fallback;
  if (found->is_number_unsigned()) return found->get<std::uint64_t>();
  const double number = found->is_number() ? found->get<double>() : -1;
  if (!(number >= 0 && number < 1e15 && std::floor(number) == number)) {
    wrong(place, keyword, "a whole number of 0 or more");
  }
  return static_cast<std::uint64_t>(number);
}

FLASHLM_INLINE bool JsonSchemaView::flag(const Place& place, std::string_view keyword) const {
  const Json* found = find(place, keyword);
  if (found == nullptr) return false;
  if (!found->is_boolean()) wrong(place, keyword, "true or false");
  return found->get<bool>();
}

FLASHLM_INLINE const std::string& JsonSchemaView::word(const Place& place,
                                                       std::string_view keyword) const {
  const Json* found = find(place, keyword);
  if (found == nullptr || !found->is_string()) wrong(place, keyword, "a string");
  return found->get_ref<const std::string&>();
}

FLASHLM_INLINE void JsonSchemaView::check(const Place& place) const {
  if (place.json->is_object() || place.json->is_boolean()) return;
  refuse(place, concat("expected a schema, which is an object or a boolean, got ",
                       place.json->type_name()));
}

FLASHLM_INLINE unsigned JsonSchemaView::kinds(const Place& place) const {
  const Json* type = find(place, "type");
  if (type == nullptr) return kJsonAny;
  unsigned result = 0;
  const auto add = [&](const Json& each) {
    const unsigned kinds =
        each.is_string() ? json_kinds_of_type(each.get_ref<const std::string&>()) : 0;
    if (kinds == 0)
      wrong(place, "type",
            "array, boolean, integer, null, number, object, string or a list of these");
    result |= kinds;
  };
  if (type->is_array()) {
    for (const Json& each : *type) add(each);
  } else {
    add(*type);
  }
  return result;
}

FLASHLM_INLINE unsigned JsonSchemaView::kind_of(const Json& value) {
  if (!value.is_number()) return json_kinds_of_type(value.type_name());
  if (value.is_number_integer()) return kJsonWhole;
  const double number = value.get<double>();
  return std::floor(number) == number ? kJsonWhole : kJsonBroken;
}

FLASHLM_INLINE JsonSchemaView::Place JsonSchemaView::resolve(const std::string& reference,
                                                             const Place& from) const {
  const std::size_t hash = std::min(reference.find('#'), reference.size());
  const std::string_view uri = std::string_view(reference).substr(0, hash);
  const std::string fragment =
      unescaped(std::string_view(reference).substr(std::min(hash + 1, reference.size())));
  const auto missing = [&]() {
    throw JsonKeywordError(concat("[json_schema] ", shown(from),
                                  ": $ref: expected a place in this schema, got '", reference, "'"),
                           from.pointer, "$ref");
  };
  const std::size_t resource = resources_.find(uri, from.resource);
  if (resource == resources_.size()) missing();
  if (!fragment.empty() && fragment[0] != '/') {
    const Place* anchor = resources_.anchor(resource, fragment);
    if (anchor == nullptr) missing();
    return *anchor;
  }
  Place place = resources_.place(resource);
  for (std::size_t at = 0; at < fragment.size();) {
    const std::size_t stop = std::min(fragment.find('/', at + 1), fragment.size());
    std::string key;
    for (std::size_t each = at + 1; each < stop; ++each) {  // ~1 is '/', ~0 is '~'
      const bool pair = fragment[each] == '~' && each + 1 < stop &&
                        (fragment[each + 1] == '0' || fragment[each + 1] == '1');
      key += pair ? (fragment[++each] == '0' ? '~' : '/') : fragment[each];
    }
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
    const Json& json = *place.json;
    place.depth = 0;
    if (json.is_object() && json.contains(key)) {
      place = down(place, key, *json.find(key));
    } else if (json.is_array() && error == std::errc() && end == key.data() + key.size() &&
               index < json.size()) {
      place = down(place, key, json[index]);
    } else {
      missing();
    }
    at = stop;
  }
  place.depth = 0;
  return place;
}

FLASHLM_INLINE std::string JsonSchemaView::spelled(const Place& place) const {
  const Json& value = *place.json;
  if (value.is_string()) return quoted(place, value.get_ref<const std::string&>());
  if (value.is_number_float() && !std::isfinite(value.get<double>()))
    refuse(place, "expected a finite number");
  if (!value.is_structured()) return value.dump();
  std::string text = value.is_array() ? "[" : "{";
  std::size_t index = 0;
  for (auto each = value.begin(); each != value.end(); ++each) {
    if (index > 0) text += ", ";
    if (value.is_object()) text += quoted(place, each.key()) + ": ";
    text += spelled(down(place, value.is_object() ? each.key() : std::to_string(index), *each));
    ++index;
  }
  return text + (value.is_array() ? "]" : "}");
}

FLASHLM_INLINE std::string JsonSchemaView::quoted(const Place& place,
                                                  const std::string& text) const {
  if (!is_utf8(text)) refuse(place, "expected UTF-8, got other bytes in a string");
  return JsonRules::quoted(text);
}

FLASHLM_INLINE std::string JsonSchemaView::shown(const Place& place) {
  std::string pointer = place.pointer;
  std::replace(pointer.begin(), pointer.end(), kMade, '/');
  return pointer;
}

FLASHLM_INLINE int JsonSchemaView::draft(const Json& root) {
  const auto said = root.is_object() ? root.find("$schema") : root.end();
  if (said == root.end() || !said->is_string()) return 2020;
  for (const int number : {3, 4, 6, 7}) {
    if (said->get_ref<const std::string&>().find(concat("draft-0", number)) != std::string::npos)
      return number;
  }
  return 2020;
}

FLASHLM_INLINE std::string JsonSchemaView::unescaped(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    unsigned char byte = 0;
    const char* pair = text.data() + at + 1;
    if (text[at] == '%' && at + 2 < text.size() &&
        std::from_chars(pair, pair + 2, byte, 16).ptr == pair + 2) {
      result += static_cast<char>(byte);
      at += 2;
    } else {
      result += text[at];
    }
  }
  return result;
}

}  // namespace flashlm::inline FLASHLM_ABI::text
