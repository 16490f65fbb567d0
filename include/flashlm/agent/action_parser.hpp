// SPDX-License-Identifier: Apache-2.0
/// action_parser.hpp: reads the formats in which models write tool calls.
#pragma once

#include <string_view>

#include "flashlm/agent/action.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::agent {

/// What the model wants to do. Never throws for a text: one that is no action is Malformed, and
/// says why.
///
/// Reads JSON calls `{"name": ..., "arguments": {...}}`, also with `parameters` (Llama 3), `action`
/// and `action_input`, `function` and `tool_calls` (OpenAI), one or several, bare, in a list, in
/// fences or in <tool_call> tags (Hermes, Qwen); and "Action:", "Action Input:", "Final Answer:"
/// (ReAct). The call of `final_answer` is the answer, unless other calls stand before it.
ParsedText parse_action(std::string_view text);

}  // namespace flashlm::inline FLASHLM_ABI::agent

#if !defined(FLASHLM_COMPILED)
#include "flashlm/agent/action_parser.ipp"
#endif
