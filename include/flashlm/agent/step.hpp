// SPDX-License-Identifier: Apache-2.0
/// step.hpp: one step of an agent: what the model wrote, what it meant, what came of it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/agent/action.hpp"
#include "flashlm/storage/format/json.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::agent {

/// What a call of a tool gave.
struct Observation {
  std::string call;  // id of the ToolCall
  std::string tool;
  std::string text;     // the result, or what went wrong; cut to the agent's budget
  bool failed = false;  // the tool threw, or could not be called

  friend bool operator==(const Observation&, const Observation&) = default;
};

/// One step of an agent.
struct Step {
  std::size_t number = 0;  // from 1
  std::string output{};    // the model's text, as it was
  std::string thought{};
  Action action{};
  std::vector<Observation> observations{};  // one for each call, in order
  std::size_t output_tokens = 0;
  double seconds = 0;

  friend bool operator==(const Step&, const Step&) = default;
};

/// The step for people to read, some lines of text.
std::string to_string(const Step& step);

nlohmann::ordered_json to_json(const Step& step);

/// The step that `to_json` wrote. Throws FormatError for anything else.
Step read_step(const storage::JsonField& json);

}  // namespace flashlm::inline FLASHLM_ABI::agent

#if !defined(FLASHLM_COMPILED)
#include "flashlm/agent/step.ipp"
#endif
