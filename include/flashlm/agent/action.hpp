// SPDX-License-Identifier: Apache-2.0
/// action.hpp: what a model wants to do next, read from the text it wrote.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::agent {

/// One call of a tool. `id` is unique within an agent's run.
struct ToolCall {
  std::string id;
  std::string name;
  nlohmann::ordered_json arguments = nlohmann::ordered_json::object();

  friend bool operator==(const ToolCall&, const ToolCall&) = default;
};

/// Calls, in order.
struct CallTools {
  std::vector<ToolCall> calls;

  friend bool operator==(const CallTools&, const CallTools&) = default;
};

/// The end: the answer to the task.
struct FinalAnswer {
  std::string text;

  friend bool operator==(const FinalAnswer&, const FinalAnswer&) = default;
};

/// A text that is no action; the problem is told to the model, which tries again.
struct Malformed {
  std::string problem;

  friend bool operator==(const Malformed&, const Malformed&) = default;
};

using Action = std::variant<CallTools, FinalAnswer, Malformed>;

/// A text as a thought and what follows from it (ReAct, arXiv:2210.03629).
struct ParsedText {
  std::string thought;
  Action action;
};

}  // namespace flashlm::inline FLASHLM_ABI::agent
