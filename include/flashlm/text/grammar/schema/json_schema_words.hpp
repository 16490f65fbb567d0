// SPDX-License-Identifier: Apache-2.0
/// json_schema_words.hpp: the keywords of JSON schema: which grammars know, which they do not, what
/// each is about.
#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// The kinds of values that a keyword or a type is about, as bits. Whole numbers are one of their
/// own.
enum JsonKind : unsigned {
  kJsonNull = 1,
  kJsonBoolean = 2,
  kJsonWhole = 4,
  kJsonBroken = 8,
  kJsonNumber = kJsonWhole | kJsonBroken,
  kJsonString = 16,
  kJsonArray = 32,
  kJsonObject = 64,
  kJsonAny = 127
};

/// Keywords that grammars hold texts to, and the kinds of values that they are about.
inline constexpr std::array<std::pair<std::string_view, unsigned>, 35> kJsonSchemaWords = {{
    {"$ref", kJsonAny},
    {"additionalItems", kJsonArray},
    {"additionalProperties", kJsonObject},
    {"allOf", kJsonAny},
    {"anyOf", kJsonAny},
    {"const", kJsonAny},
    {"dependencies", kJsonObject},
    {"dependentRequired", kJsonObject},
    {"dependentSchemas", kJsonObject},
    {"else", kJsonAny},
    {"enum", kJsonAny},
    {"exclusiveMaximum", kJsonNumber},
    {"exclusiveMinimum", kJsonNumber},
    {"if", kJsonAny},
    {"items", kJsonArray},
    {"maxItems", kJsonArray},
    {"maxLength", kJsonString},
    {"maxProperties", kJsonObject},
    {"maximum", kJsonNumber},
    {"minItems", kJsonArray},
    {"minLength", kJsonString},
    {"minProperties", kJsonObject},
    {"minimum", kJsonNumber},
    {"multipleOf", kJsonNumber},
    {"not", kJsonAny},
    {"nullable", kJsonAny},
    {"oneOf", kJsonAny},
    {"pattern", kJsonString},
    {"patternProperties", kJsonObject},
    {"prefixItems", kJsonArray},
    {"properties", kJsonObject},
    {"propertyNames", kJsonObject},
    {"required", kJsonObject},
    {"then", kJsonAny},
    {"type", kJsonAny},
}};

/// `uniqueItems` is known over values that can be listed.
inline constexpr std::string_view kJsonSchemaUnique = "uniqueItems";

/// Keywords that say which values are good, and that grammars do not know.
inline constexpr std::array<std::pair<std::string_view, unsigned>, 5> kJsonSchemaForeign = {{
    {"$dynamicRef", kJsonAny},
    {"$recursiveRef", kJsonAny},
    {"contains", kJsonArray},
    {"unevaluatedItems", kJsonArray},
    {"unevaluatedProperties", kJsonObject},
}};

/// The kinds that a keyword is about; 0 for words that say nothing about values, which are all
/// others.
constexpr unsigned json_kinds_of_word(std::string_view word) noexcept {
  for (const auto& [known, kinds] : kJsonSchemaWords) {
    if (known == word) return kinds;
  }
  for (const auto& [known, kinds] : kJsonSchemaForeign) {
    if (known == word) return kinds;
  }
  return word == kJsonSchemaUnique ? static_cast<unsigned>(kJsonArray) : 0;
}

/// The kinds of a type's name; 0 if there is no such type.
constexpr unsigned json_kinds_of_type(std::string_view type) noexcept {
  constexpr std::array<std::pair<std::string_view, unsigned>, 7> kTypes = {
      {{"array", kJsonArray},
       {"boolean", kJsonBoolean},
       {"integer", kJsonWhole},
       {"null", kJsonNull},
       {"number", kJsonNumber},
       {"object", kJsonObject},
       {"string", kJsonString}}};
  for (const auto& [known, kinds] : kTypes) {
    if (known == type) return kinds;
  }
  return 0;
}

}  // namespace flashlm::inline FLASHLM_ABI::text
