// SPDX-License-Identifier: Apache-2.0
/// agent_prompt.hpp: how an agent tells a model what it can do, and the schema that its calls meet.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/agent/tool.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::agent {

/// Tools as a grammar sees them: their schemas without what it does not know.
struct KnownTools {
  std::vector<Tool> tools;
  std::vector<std::string>
      left;  // to the tools themselves: "search: 'contains' at #/properties/tags"
};

/// What ends a task: the tool that every agent has.
Tool final_answer_tool();

/// One example of a call, for prompts and hints.
inline constexpr std::string_view kCallExample =
    R"({"thought": "why", "name": "final_answer", "arguments": {"answer": "the answer"}})";

/// The system message: the form of a call, the tools, then `instructions` as they are.
std::string agent_prompt(std::span<const Tool> tools, std::string_view instructions);

/// The JSON schema of one call: a short thought, then the name and the arguments of one of `tools`
/// or, where the task may end, of final_answer.
std::string call_schema(std::span<const Tool> tools, bool may_end = true);

/// Leaves to the tools what the grammar of their calls does not know, so that no schema ends a run.
KnownTools known_tools(std::span<const Tool> tools);

}  // namespace flashlm::inline FLASHLM_ABI::agent

#if !defined(FLASHLM_COMPILED)
#include "flashlm/agent/agent_prompt.ipp"
#endif
