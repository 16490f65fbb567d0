// SPDX-License-Identifier: Apache-2.0
/// agent_prompt.hpp: how an agent tells a model what it can do, and the schema that its calls meet.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/agent/tool.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/text/grammar.hpp"
#include "flashlm/text/json_schema_subset.hpp"

namespace flashlm::inline v0::agent {

/// Tools as a grammar sees them: their schemas without what it does not know.
struct KnownTools {
  std::vector<Tool> tools;
  std::vector<std::string> left;  // to the tools themselves: "search: 'contains' at #/properties/tags"
};

/// What ends a task: the tool that every agent has.
inline Tool final_answer_tool() {
  return {.name = "final_answer",
          .description = "Ends the task. Call it when you know the answer.",
          .parameters = json_schema(R"({"answer": {"type": "string", "description": "The answer to the task."}})"),
          .run = {}};
}

/// One example of a call, for prompts and hints.
inline constexpr std::string_view kCallExample =
    R"({"thought": "why", "name": "final_answer", "arguments": {"answer": "the answer"}})";

/// The system message: the form of a call, the tools, then `instructions` as they are.
inline std::string agent_prompt(std::span<const Tool> tools, std::string_view instructions) {
  std::string text =
      "You solve the user's task step by step with tools. Each of your answers is one JSON object, such as\n";
  text += kCallExample;
  text += "\nAfter each call you are shown its result. Use only these tools, and end the task with final_answer:\n";
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

/// The JSON schema of one call: a short thought, then the name and the arguments of one of `tools` or, where the task
/// may end, of final_answer.
inline std::string call_schema(std::span<const Tool> tools, bool may_end = true) {
  using Json = nlohmann::ordered_json;
  constexpr std::size_t kLongestThought = 300;  // characters: a small model would think until its tokens are gone
  Json choices = Json::array();
  const auto add = [&](const Tool& tool) {
    Json arguments = tool.parameters;
    // References in it count from its own beginning.
    const bool refers =
        arguments.dump(-1, ' ', true, Json::error_handler_t::replace).find("\"$ref\"") != std::string::npos;
    if (refers && arguments.is_object() && !arguments.contains("$id")) arguments["$id"] = concat("flashlm:", tool.name);
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

/// Leaves to the tools what the grammar of their calls does not know, so that no schema ends a run.
inline KnownTools known_tools(std::span<const Tool> tools) {
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

}  // namespace flashlm::inline v0::agent
