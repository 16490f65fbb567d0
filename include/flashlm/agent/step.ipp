// SPDX-License-Identifier: Apache-2.0
/// step.ipp: the bodies of step.hpp.
#pragma once

#include "flashlm/agent/step.hpp"

#include <utility>
#include <variant>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::agent {

FLASHLM_INLINE std::string to_string(const Step& step) {
  std::string text = concat("Step ", step.number, "\n");
  if (!step.thought.empty()) text += concat("  Thought: ", step.thought, "\n");
  if (const auto* tools = std::get_if<CallTools>(&step.action)) {
    for (std::size_t index = 0; index < tools->calls.size(); ++index) {
      const ToolCall& call = tools->calls[index];
      text += concat(
          "  Action: ", call.name, " ",
          call.arguments.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace),
          "\n");
      if (index < step.observations.size()) {
        const Observation& seen = step.observations[index];
        text += concat(seen.failed ? "  Error: " : "  Observation: ", seen.text, "\n");
      }
    }
  } else if (const auto* answer = std::get_if<FinalAnswer>(&step.action)) {
    text += concat("  Answer: ", answer->text, "\n");
  } else {
    text += concat("  Malformed: ", std::get<Malformed>(step.action).problem, "\n");
  }
  return text;
}

FLASHLM_INLINE nlohmann::ordered_json to_json(const Step& step) {
  nlohmann::ordered_json action;
  if (const auto* tools = std::get_if<CallTools>(&step.action)) {
    action["calls"] = nlohmann::ordered_json::array();
    for (const ToolCall& call : tools->calls) {
      action["calls"].push_back(
          {{"id", call.id}, {"name", call.name}, {"arguments", call.arguments}});
    }
  } else if (const auto* answer = std::get_if<FinalAnswer>(&step.action)) {
    action["answer"] = answer->text;
  } else {
    action["problem"] = std::get<Malformed>(step.action).problem;
  }
  nlohmann::ordered_json observations = nlohmann::ordered_json::array();
  for (const Observation& seen : step.observations) {
    observations.push_back(
        {{"call", seen.call}, {"tool", seen.tool}, {"text", seen.text}, {"failed", seen.failed}});
  }
  return {{"number", step.number},        {"output", step.output},
          {"thought", step.thought},      {"action", action},
          {"observations", observations}, {"output_tokens", step.output_tokens},
          {"seconds", step.seconds}};
}

FLASHLM_INLINE Step read_step(const storage::JsonField& json) {
  json.only({"number", "output", "thought", "action", "observations", "output_tokens", "seconds"});
  Step step;
  step.number = json["number"].count(1);
  step.output = json["output"].string();
  step.thought = json["thought"].string();
  const storage::JsonField action = json["action"];
  if (action.has("calls")) {
    CallTools tools;
    action["calls"].elements([&](const storage::JsonField& call) {
      if (!call["arguments"].value().is_object()) call["arguments"].wrong("an object");
      tools.calls.push_back({call["id"].string(), call["name"].string(),
                             nlohmann::ordered_json::parse(call["arguments"].value().dump())});
    });
    step.action = std::move(tools);
  } else if (action.has("answer")) {
    step.action = FinalAnswer{action["answer"].string()};
  } else {
    step.action = Malformed{action["problem"].string()};
  }
  json["observations"].elements([&](const storage::JsonField& seen) {
    step.observations.push_back({seen["call"].string(), seen["tool"].string(),
                                 seen["text"].string(), seen["failed"].flag()});
  });
  step.output_tokens = json["output_tokens"].count();
  step.seconds = json["seconds"].number();
  return step;
}

}  // namespace flashlm::inline FLASHLM_ABI::agent
