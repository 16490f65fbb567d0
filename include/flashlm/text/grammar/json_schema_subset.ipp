// SPDX-License-Identifier: Apache-2.0
/// json_schema_subset.ipp: the bodies of json_schema_subset.hpp.
#pragma once

#include "flashlm/text/grammar/json_schema_subset.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "flashlm/text/grammar/grammar.hpp"
#include "flashlm/text/grammar/schema/json_schema_view.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

namespace detail {

/// The part of `schema` at a JSON pointer "#/a/b"; null if there is none.
inline nlohmann::ordered_json* find_part(nlohmann::ordered_json& schema, std::string_view pointer) {
  try {
    const nlohmann::ordered_json::json_pointer place{std::string(pointer.substr(1))};
    return schema.contains(place) ? &schema[place] : nullptr;
  } catch (const nlohmann::json::exception&) {
    return nullptr;
  }
}

/// Takes the keyword out that an error is about. False if it is not there.
inline bool take_out(nlohmann::ordered_json& schema, const JsonKeywordError& error,
                     std::vector<std::string>& left) {
  // Where a schema was made of others, what it was made of is taken out.
  const std::size_t made = error.pointer().find(JsonSchemaView::kMade);
  const std::string pointer = error.pointer().substr(0, made);
  std::string keyword = error.keyword();
  if (made != std::string::npos) {
    keyword = error.pointer().substr(made + 1);
    keyword.resize(std::min(keyword.find('~'), keyword.size()));
  }
  nlohmann::ordered_json* part = find_part(schema, pointer);
  if (part == nullptr || !part->is_object() || !part->contains(keyword)) return false;
  // One of the alternatives is better than anything.
  if (keyword == "oneOf" && !part->contains("anyOf")) (*part)["anyOf"] = (*part)["oneOf"];
  part->erase(keyword);
  left.push_back(concat("'", keyword, "' at ", pointer));
  return true;
}

}  // namespace detail

FLASHLM_INLINE JsonSchemaSubset known_schema(const nlohmann::ordered_json& schema) {
  constexpr int kMostTakenOut = 64;
  JsonSchemaSubset result{schema, {}};
  std::string problem = "too many keywords that are not supported";
  for (int round = 0; round < kMostTakenOut; ++round) {
    try {
      Grammar::from_json_schema(result.schema);
      return result;
    } catch (const JsonKeywordError& error) {
      problem = error.what();
      if (!detail::take_out(result.schema, error, result.left)) break;
    } catch (const FormatError& error) {
      problem = error.what();
      break;
    }
  }
  return {{{"type", "object"}}, {concat("all of it, since ", problem)}};
}

}  // namespace flashlm::inline FLASHLM_ABI::text
