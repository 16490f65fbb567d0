// SPDX-License-Identifier: Apache-2.0
/// tool.hpp: a function that a model may call.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "flashlm/text/grammar/json/json_value.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::agent {

/// A function that a model may call: what it is called, what it is for, what it takes.
///
///     const Tool add{.name = "add", .description = "Adds two numbers.",
///                    .parameters = json_schema(R"({"a": {"type": "number"}, "b": {"type":
///                    "number"}})"), .run = [](const nlohmann::ordered_json& arguments) {
///                      return std::to_string(arguments["a"].get<double>() +
///                      arguments["b"].get<double>());
///                    }};
struct Tool {
  std::string name;         // letters, digits and '_'
  std::string description;  // for the model
  nlohmann::ordered_json parameters = {{"type", "object"},
                                       {"properties", nlohmann::ordered_json::object()}};
  std::function<std::string(const nlohmann::ordered_json& arguments)> run;
  double max_seconds =
      0;  // 0: no limit. After it the call is left alone: `run` must own all that it uses
};

/// The schema of an object with these properties, all of them required: what a tool takes.
/// Throws ArgumentError if `properties` is not the JSON of an object.
nlohmann::ordered_json json_schema(std::string_view properties);

/// Throws ArgumentError for tools that no model could call: a name twice or with other letters, no
/// function.
void check_tools(std::span<const Tool> tools);

/// What a call gave: its text, or what went wrong, which the model is told.
struct ToolResult {
  std::string text;
  bool failed = false;
};

/// Calls the tool of that name. Unknown names, arguments that its schema forbids, a std::exception
/// from it and no result within its time are results that say so: the model may try again.
ToolResult call_tool(std::span<const Tool> tools, std::string_view name,
                     const nlohmann::ordered_json& arguments);

/// The same for arguments as text.
template <text::JsonText Text>
ToolResult call_tool(std::span<const Tool> tools, std::string_view name, const Text& arguments) {
  const auto parsed = text::parse_value(arguments);
  return parsed ? call_tool(tools, name, *parsed) : ToolResult{"arguments: expected JSON", true};
}

}  // namespace flashlm::inline FLASHLM_ABI::agent

#if !defined(FLASHLM_COMPILED)
#include "flashlm/agent/tool.ipp"
#endif
