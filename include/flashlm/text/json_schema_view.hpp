// SPDX-License-Identifier: Apache-2.0
/// json_schema_view.hpp: reading a JSON schema: its places, keywords, references and types, with errors that name them.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/error.hpp"
#include "flashlm/text/json_rules.hpp"
#include "flashlm/text/utf8.hpp"

namespace flashlm::inline v0::text {

/// A schema that belongs to the caller and must outlive the view. Every problem is a FormatError
/// `[json_schema] #/place: what`.
class JsonSchemaView {
 public:
  using Json = nlohmann::ordered_json;

  /// A value in the schema and its JSON pointer (RFC 6901).
  struct Place {
    const Json* json = nullptr;
    std::string pointer;
    int depth = 0;
  };

  explicit JsonSchemaView(const Json& root) : root_(&root) {}

  [[noreturn]] void refuse(const Place& place, std::string_view problem) const {
    throw FormatError(concat("[json_schema] ", place.pointer, ": ", problem));
  }

  [[noreturn]] void wrong(const Place& place, std::string_view keyword, std::string_view expected) const {
    const Json* found = find(place, keyword);
    // A container is only named: to print it would recurse as deeply as it likes.
    const bool small = found != nullptr && !found->is_structured();
    const std::string got = small ? found->dump(-1, ' ', true, Json::error_handler_t::replace)
                                  : concat("an ", found == nullptr ? "absent value" : found->type_name());
    refuse(place, concat(keyword, ": expected ", expected, ", got ", got));
  }

  const Json* find(const Place& place, std::string_view keyword) const {
    const auto found = place.json->find(std::string(keyword));
    return found == place.json->end() ? nullptr : &*found;
  }

  /// The value `json` at `key` below `place`. Throws when that is too deep.
  Place down(const Place& place, std::string_view key, const Json& json) const {
    if (place.depth >= kDeepest) refuse(place, concat("expected at most ", kDeepest, " levels, got more"));
    std::string pointer = place.pointer + "/";
    for (const char each : key) {
      pointer += each == '~' ? "~0" : each == '/' ? "~1" : std::string(1, each);
    }
    return {&json, std::move(pointer), place.depth + 1};
  }

  /// The elements of the array `keyword`.
  std::vector<Place> elements(const Place& place, std::string_view keyword) const {
    const Json* list = find(place, keyword);
    if (list == nullptr || !list->is_array()) wrong(place, keyword, "an array");
    const Place parent = down(place, keyword, *list);
    std::vector<Place> result;
    for (std::size_t index = 0; index < list->size(); ++index) {
      result.push_back(down(parent, std::to_string(index), (*list)[index]));
    }
    return result;
  }

  /// The members of the object `keyword`, in their order.
  std::vector<std::pair<std::string, Place>> members(const Place& place, std::string_view keyword) const {
    const Json* object = find(place, keyword);
    if (object == nullptr || !object->is_object()) wrong(place, keyword, "an object");
    const Place parent = down(place, keyword, *object);
    std::vector<std::pair<std::string, Place>> result;
    for (auto each = object->begin(); each != object->end(); ++each) {
      result.emplace_back(each.key(), down(parent, each.key(), each.value()));
    }
    return result;
  }

  /// A whole number of at least 0, or `fallback`.
  std::uint64_t count(const Place& place, std::string_view keyword, std::uint64_t fallback) const {
    const Json* found = find(place, keyword);
    if (found == nullptr) return fallback;
    if (found->is_number_unsigned()) return found->get<std::uint64_t>();
    const double number = found->is_number() ? found->get<double>() : -1;
    if (!(number >= 0 && number < 1e15 && std::floor(number) == number)) {
      wrong(place, keyword, "a whole number of 0 or more");
    }
    return static_cast<std::uint64_t>(number);
  }

  /// Throws unless `place` is an object whose keywords are all known.
  void check(const Place& place) const {
    if (!place.json->is_object()) {
      refuse(place, concat("expected a schema, which is an object or a boolean, got ", place.json->type_name()));
    }
    for (auto each = place.json->begin(); each != place.json->end(); ++each) {
      const std::string& key = each.key();
      const bool inert = key == "uniqueItems" && each.value() == false;
      if (!inert && !contains(kKeywords, key) && !contains(kRemarks, key)) {
        refuse(place, concat("unsupported keyword '", key, "'"));
      }
    }
  }

  /// Throws if `keyword` has others beside it that would narrow it, but for `allowed`.
  void alone(const Place& place, std::string_view keyword, std::initializer_list<std::string_view> allowed) const {
    for (auto each = place.json->begin(); each != place.json->end(); ++each) {
      const std::string& key = each.key();
      const bool good = key == keyword || key == "$defs" || key == "definitions" || key == "nullable" ||
                        contains(kRemarks, key) || std::find(allowed.begin(), allowed.end(), key) != allowed.end();
      if (!good) refuse(place, concat("unsupported keyword '", key, "' beside '", keyword, "'"));
    }
  }

  /// The types that `place` allows, from `type` or from the keywords that are about a type. {"any"} if nothing is said.
  std::vector<std::string> types(const Place& place) const {
    const Json* type = find(place, "type");
    if (type == nullptr) {
      for (const auto& [name, keywords] : kAbout) {
        for (const std::string_view keyword : keywords) {
          if (!keyword.empty() && find(place, keyword) != nullptr) return {std::string(name)};
        }
      }
      return {"any"};
    }
    std::vector<std::string> result;
    const auto add = [&](const Json& each) {
      if (!each.is_string() || !contains(kTypes, each.get_ref<const std::string&>())) {
        wrong(place, "type", "array, boolean, integer, null, number, object, string or a list of these");
      }
      result.push_back(each.get<std::string>());
    };
    if (type->is_array()) {
      for (const Json& each : *type) add(each);
    } else {
      add(*type);
    }
    // A whole number is a number, and one way to it is enough.
    if (std::find(result.begin(), result.end(), "number") != result.end()) std::erase(result, "integer");
    return result;
  }

  static bool is_of_type(const Json& value, std::string_view type) {
    if (type == "any") return true;
    if (type == "integer") return value.is_number_integer() || (value.is_number() && is_whole(value));
    if (type == "number") return value.is_number();
    return type == value.type_name();
  }

  /// What "#/a/b" names. `from`: the place that says so, for errors.
  Place resolve(const std::string& reference, const Place* from = nullptr) const {
    const Place root{root_, "#", 0};
    const auto missing = [&]() {
      refuse(from == nullptr ? root : *from, concat("$ref: expected a place in this schema, got '", reference, "'"));
    };
    if (reference.empty() || reference[0] != '#' || (reference.size() > 1 && reference[1] != '/')) missing();
    const Json* json = root_;
    for (std::size_t at = 1; at < reference.size();) {
      const std::size_t stop = std::min(reference.find('/', at + 1), reference.size());
      const std::string key = unescaped(std::string_view(reference).substr(at + 1, stop - at - 1));
      std::size_t index = 0;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
      if (json->is_object() && json->contains(key)) {
        json = &*json->find(key);
      } else if (json->is_array() && error == std::errc() && end == key.data() + key.size() && index < json->size()) {
        json = &(*json)[index];
      } else {
        missing();
      }
      at = stop;
    }
    return {json, reference, 0};
  }

  /// A value as text, with one space after each ',' and ':'.
  std::string spelled(const Place& place) const {
    const Json& value = *place.json;
    if (value.is_string()) return quoted(place, value.get_ref<const std::string&>());
    if (value.is_number_float() && !std::isfinite(value.get<double>())) refuse(place, "expected a finite number");
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

  /// A name of the schema as a JSON string.
  std::string quoted(const Place& place, const std::string& text) const {
    if (!is_utf8(text)) refuse(place, "expected UTF-8, got other bytes in a string");
    return JsonRules::quoted(text);
  }

 private:
  static constexpr int kDeepest = 64;
  static constexpr std::array<std::string_view, 23> kKeywords = {"$defs",
                                                                 "$ref",
                                                                 "additionalProperties",
                                                                 "allOf",
                                                                 "anyOf",
                                                                 "const",
                                                                 "definitions",
                                                                 "enum",
                                                                 "exclusiveMaximum",
                                                                 "exclusiveMinimum",
                                                                 "items",
                                                                 "maxItems",
                                                                 "maxLength",
                                                                 "maximum",
                                                                 "minItems",
                                                                 "minLength",
                                                                 "minimum",
                                                                 "nullable",
                                                                 "oneOf",
                                                                 "prefixItems",
                                                                 "properties",
                                                                 "required",
                                                                 "type"};
  /// Say nothing about which texts are good. `format` is one of them by default (draft 2020-12, section 7.2.1).
  static constexpr std::array<std::string_view, 14> kRemarks = {
      "$comment", "$id",      "$schema", "default",  "deprecated", "description", "discriminator",
      "example",  "examples", "format",  "readOnly", "title",      "writeOnly",   "strict"};
  static constexpr std::array<std::string_view, 7> kTypes = {"array",  "boolean", "integer", "null",
                                                             "number", "object",  "string"};
  using About = std::pair<std::string_view, std::array<std::string_view, 4>>;
  static constexpr std::array<About, 4> kAbout = {
      About{"object", {"properties", "required", "additionalProperties", ""}},
      About{"array", {"items", "prefixItems", "minItems", "maxItems"}},
      About{"string", {"minLength", "maxLength", "", ""}},
      About{"number", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}}};

  template <std::size_t n>
  static bool contains(const std::array<std::string_view, n>& words, std::string_view word) {
    return !word.empty() && std::find(words.begin(), words.end(), word) != words.end();
  }

  static bool is_whole(const Json& number) {
    const double value = number.get<double>();
    return std::floor(value) == value;
  }

  /// ~1 is '/', ~0 is '~', %41 is 'A'.
  static std::string unescaped(std::string_view text) {
    std::string result;
    for (std::size_t at = 0; at < text.size(); ++at) {
      unsigned char byte = 0;
      const char* pair = text.data() + at + 1;
      if (text[at] == '~' && at + 1 < text.size() && (text[at + 1] == '0' || text[at + 1] == '1')) {
        result += text[++at] == '0' ? '~' : '/';
      } else if (text[at] == '%' && at + 2 < text.size() && std::from_chars(pair, pair + 2, byte, 16).ptr == pair + 2) {
        result += static_cast<char>(byte);
        at += 2;
      } else {
        result += text[at];
      }
    }
    return result;
  }

  const Json* root_;
};

}  // namespace flashlm::inline v0::text
