// SPDX-License-Identifier: Apache-2.0
/// json_schema_subset.hpp: as much of a JSON schema as grammars know, and what of it is left to
/// others.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/error.hpp"
#include "flashlm/text/grammar/json/json_value.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// A schema that has a grammar and allows all that another one allows.
struct JsonSchemaSubset {
  nlohmann::ordered_json schema;
  std::vector<std::string> left;  // what it does not say: "'contains' at #/properties/tags"
};

/// `schema` without the keywords for which there is no grammar: for the arguments of a tool, which
/// checks the rest itself. Any JSON object where nothing else helps.
JsonSchemaSubset known_schema(const nlohmann::ordered_json& schema);

/// The same for the text of a schema. Throws FormatError if it is not JSON.
template <JsonText Text>
JsonSchemaSubset known_schema(const Text& schema) {
  const auto parsed = parse_value(schema);
  if (!parsed) throw FormatError("[json_schema] schema: expected JSON, got other text");
  return known_schema(*parsed);
}

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/json_schema_subset.ipp"
#endif
