// SPDX-License-Identifier: Apache-2.0
/// arguments.ipp: the bodies of arguments.hpp.
#pragma once

#include "flashlm/agent/arguments.hpp"

#include <cmath>
#include <cstddef>
#include <string_view>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::agent {

namespace detail {

inline constexpr int kDeepestSchema = 32;

inline bool has_type(const nlohmann::ordered_json& value, std::string_view type) {
  if (type == "string") return value.is_string();
  if (type == "integer") {
    return value.is_number_integer() ||
           (value.is_number() && std::floor(value.get<double>()) == value.get<double>());
  }
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  return true;  // "any", and what only the tool itself can judge
}

/// Whether the schema allows null by `nullable`, as OpenAPI writes it.
inline bool is_nullable(const nlohmann::ordered_json& schema) {
  const auto nullable = schema.find("nullable");
  return nullable != schema.end() && *nullable == true;
}

/// Whether an object may have properties that `properties` does not name.
inline bool is_open(const nlohmann::ordered_json& schema) {
  if (schema.contains("patternProperties")) return true;
  if (schema.contains("additionalProperties")) return schema["additionalProperties"] != false;
  for (const char* keyword : {"$ref", "allOf", "anyOf", "if", "oneOf"}) {
    if (schema.contains(keyword)) return true;  // they may name others
  }
  return false;
}

/// `json` for a message: short.
inline std::string shown(const nlohmann::ordered_json& json) {
  constexpr std::size_t kLongest = 80;
  std::string text = json.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
  return text.size() > kLongest ? text.substr(0, kLongest) + "..." : text;
}

inline std::optional<std::string> value_problem(const nlohmann::ordered_json& schema,
                                                const nlohmann::ordered_json& value,
                                                const std::string& where, int depth);

inline std::optional<std::string> type_problem(const nlohmann::ordered_json& schema,
                                               const nlohmann::ordered_json& value,
                                               const std::string& where) {
  const auto type = schema.find("type");
  if (type == schema.end() || (value.is_null() && is_nullable(schema))) return std::nullopt;
  bool fits = false;
  std::string expected;
  for (const nlohmann::ordered_json& one :
       type->is_array() ? *type : nlohmann::ordered_json::array({*type})) {
    if (!one.is_string()) return std::nullopt;
    fits = fits || has_type(value, one.get_ref<const std::string&>());
    expected += concat(expected.empty() ? "" : " or ", one.get_ref<const std::string&>());
  }
  if (fits) return std::nullopt;
  return concat(where, ": expected ", expected, ", got ", shown(value));
}

inline std::optional<std::string> object_problem(const nlohmann::ordered_json& schema,
                                                 const nlohmann::ordered_json& value,
                                                 const std::string& where, int depth) {
  const auto properties = schema.find("properties");
  if (properties == schema.end() || !properties->is_object()) return std::nullopt;
  const auto required = schema.find("required");
  if (required != schema.end() && required->is_array()) {
    for (const nlohmann::ordered_json& name : *required) {
      if (name.is_string() && !value.contains(name.get_ref<const std::string&>())) {
        return concat(where, ": '", name.get_ref<const std::string&>(), "' is missing");
      }
    }
  }
  for (auto each = value.begin(); each != value.end(); ++each) {
    const auto property = properties->find(each.key());
    if (property == properties->end()) {
      if (is_open(schema)) continue;
      std::string names;
      for (auto one = properties->begin(); one != properties->end(); ++one) {
        names += concat(names.empty() ? "" : ", ", one.key());
      }
      return concat(where, ": there is no '", each.key(),
                    "'. Expected: ", names.empty() ? "nothing" : names);
    }
    if (auto problem =
            value_problem(*property, each.value(), concat(where, ".", each.key()), depth + 1)) {
      return problem;
    }
  }
  return std::nullopt;
}

inline std::optional<std::string> value_problem(const nlohmann::ordered_json& schema,
                                                const nlohmann::ordered_json& value,
                                                const std::string& where, int depth) {
  if (!schema.is_object() || depth > kDeepestSchema) return std::nullopt;
  if (auto problem = type_problem(schema, value, where)) return problem;
  if (const auto choices = schema.find("enum"); choices != schema.end() && choices->is_array()) {
    bool found = value.is_null() && is_nullable(schema);
    for (const nlohmann::ordered_json& choice : *choices)
      found = found || text::same_value(choice, value);
    if (!found) return concat(where, ": expected one of ", shown(*choices), ", got ", shown(value));
  }
  if (value.is_object()) return object_problem(schema, value, where, depth);
  if (value.is_array() && schema.contains("items") && schema["items"].is_object()) {
    for (std::size_t index = 0; index < value.size(); ++index) {
      if (auto problem = value_problem(schema["items"], value[index],
                                       concat(where, "[", index, "]"), depth + 1)) {
        return problem;
      }
    }
  }
  return std::nullopt;
}

}  // namespace detail

FLASHLM_INLINE std::optional<std::string> arguments_problem(
    const nlohmann::ordered_json& schema, const nlohmann::ordered_json& arguments) {
  return detail::value_problem(schema, arguments, "arguments", 0);
}

}  // namespace flashlm::inline FLASHLM_ABI::agent
