// SPDX-License-Identifier: Apache-2.0
/// arguments.hpp: whether the arguments of a call are what a tool's JSON schema asks for.
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "flashlm/text/grammar/json/json_value.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::agent {

/// What is wrong with `arguments` by a tool's schema, for the model to read; nothing if they fit.
///
/// Looks at type, properties, required, additionalProperties (absent: false), enum, items and
/// nullable. What other keywords say is the tool's own to check.
std::optional<std::string> arguments_problem(const nlohmann::ordered_json& schema,
                                             const nlohmann::ordered_json& arguments);

/// The same for arguments as text.
template <text::JsonText Text>
std::optional<std::string> arguments_problem(const nlohmann::ordered_json& schema,
                                             const Text& arguments) {
  const auto parsed = text::parse_value(arguments);
  return parsed ? arguments_problem(schema, *parsed)
                : std::optional<std::string>("arguments: expected JSON");
}

}  // namespace flashlm::inline FLASHLM_ABI::agent

#if !defined(FLASHLM_COMPILED)
#include "flashlm/agent/arguments.ipp"
#endif
