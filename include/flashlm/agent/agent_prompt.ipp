// SPDX-License-Identifier: Apache-2.0
/// agent_prompt.ipp: the bodies of agent_prompt.hpp.
#pragma once

#include "flashlm/agent/agent_prompt.hpp"

#include <cstddef>
#include <utility>

#include <nlohmann/json.hpp>

#include "flashlm/base/error.hpp"
#include "flashlm/text/grammar/grammar.hpp"
#include "flashlm/text/grammar/json_schema_subset.hpp"

namespace flashlm::inline FLASHLM_ABI::agent {

FLASHLM_INLINE Tool final_answer_tool() {
  return {.name = "final_answer",
          .description = "Ends the task. Call it when you know the answer.",
          .parameters = json_schema(
              R"({"answer": {"type": "string", "description": "The answer to the task."}})"),
          .run = {}};
}

FLASHLM_INLINE std::string agent_prompt(std::span<const Tool> tools,
                                        std::string_view instructions) {
  std::string text =
      "You solve the user's task step by step with tools. Each of your answers is one JSON object, "
      "such as\n";
  text += kCallExample;
  text +=
      "\nAfter each call you are shown its result. Use only these tools, and end the task with "
      "final_answer:\n";
  const auto describe = [&](const Tool& tool) {
    const nlohmann::ordered_json shown = {
        {"name", tool.name}, {"description", tool.description}, {"parameters", tool.parameters}};
    text += shown.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  };
  for (const Tool& tool : tools) describe(tool);
  describe(final_answer_tool());
  if (!instructions.empty()) text += concat("\n", instructions, "\n");
  return text;
}

FLASHLM_INLINE std::string call_schema(std::span<const Tool> tools, bool may_end) {
  using Json = nlohmann::ordered_json;
  constexpr std::size_t kLongestThought =
      300;  // characters: a small model would think until its tokens are gone
  Json choices = Json::array();
  const auto add = [&](const Tool& tool) {
    Json arguments = tool.parameters;
    // References in it count from its own beginning.
    const bool refers =
        arguments.dump(-1, ' ', true, Json::error_handler_t::replace).find("\"$ref\"") !=
        std::string::npos;
    if (refers && arguments.is_object() && !arguments.contains("$id"))
      arguments["$id"] = concat("flashlm:", tool.name);
    const Json properties = {{"thought", {{"type", "string"}, {"maxLength", kLongestThought}}},
                             {"name", {{"const", tool.name}}},
                             {"arguments", arguments}};
    choices.push_back({{"type", "object"},
                       {"properties", properties},
                       {"required", {"thought", "name", "arguments"}},
                       {"additionalProperties", false}});
  };
  for (const Tool& tool : tools) add(tool);
  if (may_end || tools.empty()) add(final_answer_tool());
  return (choices.size() == 1 ? choices.front() : Json{{"anyOf", choices}}).dump();
}

FLASHLM_INLINE KnownTools known_tools(std::span<const Tool> tools) {
  KnownTools result{{tools.begin(), tools.end()}, {}};
  for (Tool& tool : result.tools) {
    text::JsonSchemaSubset known = text::known_schema(tool.parameters);
    tool.parameters = std::move(known.schema);
    for (const std::string& word : known.left) result.left.push_back(concat(tool.name, ": ", word));
  }
  try {
    text::Grammar::from_json_schema(std::string_view(call_schema(result.tools)));
  } catch (const FormatError& error) {  // each alone is good, all of them together are too much
    for (Tool& tool : result.tools) tool.parameters = {{"type", "object"}};
    result.left = {concat("all schemas, since ", error.what())};
  }
  return result;
}

}  // namespace flashlm::inline FLASHLM_ABI::agent
