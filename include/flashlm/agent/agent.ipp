// SPDX-License-Identifier: Apache-2.0
/// agent.ipp: the bodies of agent.hpp.
#pragma once

#include "flashlm/agent/agent.hpp"

#include <algorithm>
#include <span>

#include "flashlm/agent/action_parser.hpp"
#include "flashlm/agent/observation_budget.hpp"
#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::agent {

FLASHLM_INLINE Agent::Agent(std::shared_ptr<text::ChatModel> model, std::vector<Tool> tools,
                            AgentOptions options)
    : model_(std::move(model)), tools_(std::move(tools)), options_(std::move(options)) {
  check_tools(tools_);
  if (!model_) throw ArgumentError("[agent] model: expected one, got none");
  if (options_.max_steps == 0) throw ArgumentError("[agent] max_steps: expected at least 1, got 0");
  if (!(options_.max_seconds >= 0)) {
    throw ArgumentError(
        concat("[agent] max_seconds: expected at least 0, got ", options_.max_seconds));
  }
  if (options_.observation_tokens == 0)
    throw ArgumentError("[agent] observation_tokens: expected at least 1, got 0");
  if (options_.constrained) known_ = known_tools(tools_);
}

FLASHLM_INLINE void Agent::start(std::string task) {
  task_ = std::move(task);
  steps_.clear();
  seconds_ = 0;
  status_ = AgentStatus::running;
}

FLASHLM_INLINE std::optional<Step> Agent::next() {
  check_limits();
  if (status_ != AgentStatus::running) return std::nullopt;
  const Clock::time_point begin = Clock::now();
  Step step;
  step.number = steps_.size() + 1;
  try {
    step.output = ask(begin);
  } catch (const TimeUp&) {
    seconds_ += since(begin);
    status_ = AgentStatus::out_of_time;
    return std::nullopt;
  }
  ParsedText parsed = parse_action(step.output);
  step.thought = std::move(parsed.thought);
  step.action = std::move(parsed.action);
  if (auto* tools = std::get_if<CallTools>(&step.action)) act(*tools, step);
  step.output_tokens = model_->count_tokens(step.output);
  step.seconds = since(begin);
  seconds_ += step.seconds;
  steps_.push_back(step);
  if (std::holds_alternative<FinalAnswer>(step.action)) status_ = AgentStatus::answered;
  return step;
}

FLASHLM_INLINE std::optional<std::string> Agent::run(std::string task) {
  start(std::move(task));
  while (next()) {
  }
  if (status_ != AgentStatus::answered) return std::nullopt;
  return answer();
}

FLASHLM_INLINE std::string Agent::answer() const {
  if (steps_.empty() || status_ != AgentStatus::answered) return {};
  return std::get<FinalAnswer>(steps_.back().action).text;
}

FLASHLM_INLINE std::vector<text::ChatMessage> Agent::messages() const {
  const std::size_t answer =
      std::min(options_.chat.generation.max_new_tokens, model_->context() / 2);
  const std::size_t budget = model_->context() - answer;
  std::size_t left_out = 0;
  std::vector<text::ChatMessage> messages = messages_without(0);
  while (left_out < steps_.size() && count(messages) > budget)
    messages = messages_without(++left_out);
  return messages;
}

FLASHLM_INLINE nlohmann::ordered_json Agent::save() const {
  nlohmann::ordered_json steps = nlohmann::ordered_json::array();
  for (const Step& step : steps_) steps.push_back(to_json(step));
  return {{"version", 1u},
          {"task", task_},
          {"status", name(status_)},
          {"seconds", seconds_},
          {"steps", steps}};
}

FLASHLM_INLINE void Agent::load(std::string_view json) {
  const storage::Json document = storage::parse_foreign_json(json, "agent", "saved task");
  const storage::JsonField fields(document, "agent", "saved task");
  fields.only({"version", "task", "status", "seconds", "steps"});
  fields["version"].count(1, 1);
  std::vector<Step> steps;
  fields["steps"].elements([&](const storage::JsonField& one) {
    steps.push_back(read_step(one));
    if (steps.back().number != steps.size()) one["number"].wrong(std::to_string(steps.size()));
  });
  const AgentStatus status = read_status(fields["status"]);
  const bool ends = !steps.empty() && std::holds_alternative<FinalAnswer>(steps.back().action);
  if (ends != (status == AgentStatus::answered))
    fields["status"].wrong("answered where the last step is an answer");
  const double seconds = fields["seconds"].number();
  task_ = fields["task"].string();
  seconds_ = seconds;
  // A limit that was reached may be a larger one now.
  status_ = status == AgentStatus::idle || status == AgentStatus::answered ? status
                                                                           : AgentStatus::running;
  steps_ = std::move(steps);
}

FLASHLM_INLINE AgentStatus Agent::read_status(const storage::JsonField& field) {
  for (int status = 0; status <= static_cast<int>(AgentStatus::out_of_time); ++status) {
    if (field.string() == name(static_cast<AgentStatus>(status)))
      return static_cast<AgentStatus>(status);
  }
  field.wrong("the status of a task");
}

FLASHLM_INLINE std::size_t Agent::n_calls() const noexcept {
  std::size_t n = 0;
  for (const Step& step : steps_) {
    for (const Observation& seen : step.observations) n += seen.failed ? 0 : 1;
  }
  return n;
}

FLASHLM_INLINE void Agent::check_limits() {
  if (status_ != AgentStatus::running) return;
  std::size_t tokens = 0;
  for (const Step& step : steps_) tokens += step.output_tokens;
  if (steps_.size() >= options_.max_steps) status_ = AgentStatus::out_of_steps;
  if (options_.max_tokens > 0 && tokens >= options_.max_tokens)
    status_ = AgentStatus::out_of_tokens;
  if (options_.max_seconds > 0 && seconds_ >= options_.max_seconds)
    status_ = AgentStatus::out_of_time;
}

FLASHLM_INLINE std::string Agent::ask(Clock::time_point begin) {
  text::ChatOptions chat = options_.chat;
  chat.json_schema.clear();
  if (options_.constrained) {
    chat.json_schema =
        call_schema(is_last_step() ? std::span<const Tool>() : std::span<const Tool>(known_.tools),
                    n_calls() >= options_.min_calls);
  } else {
    chat.generation.stop.push_back(
        "\nObservation:");  // the model may not make up what its tools say
  }
  if (options_.max_seconds > 0) {
    const auto check = [this, begin] {
      if (seconds_ + since(begin) >= options_.max_seconds) throw TimeUp();
    };
    chat.generation.on_prefill = [check, told = options_.chat.generation.on_prefill](
                                     std::size_t done, std::size_t total) {
      check();
      if (told) told(done, total);
    };
    chat.on_piece = [check, told = options_.chat.on_piece](std::string_view piece) {
      if (told) told(piece);
      check();
    };
  }
  return model_->answer(messages(), chat);
}

FLASHLM_INLINE void Agent::act(CallTools& tools, Step& step) const {
  for (std::size_t index = 0; index < tools.calls.size(); ++index) {
    ToolCall& call = tools.calls[index];
    call.id = concat("call_", step.number, "_", index + 1);
    ToolResult result = call_tool(tools_, call.name, call.arguments);
    step.observations.push_back({call.id, call.name,
                                 cut_to_tokens(result.text, options_.observation_tokens, *model_),
                                 result.failed});
  }
}

FLASHLM_INLINE std::vector<text::ChatMessage> Agent::messages_without(std::size_t left_out) const {
  std::vector<text::ChatMessage> messages = {
      {"system", agent_prompt(tools_, options_.instructions)}, {"user", task_}};
  for (std::size_t index = 0; index < steps_.size(); ++index) {
    messages.push_back({"assistant", steps_[index].output});
    messages.push_back({"user", reply(steps_[index], index < left_out)});
  }
  if (is_last_step()) messages.back().content += "\nThis is the last step: call final_answer now.";
  return messages;
}

FLASHLM_INLINE std::string Agent::reply(const Step& step, bool left_out) {
  if (const auto* malformed = std::get_if<Malformed>(&step.action)) {
    return concat("That was no call of a tool: ", malformed->problem,
                  ". Answer with one JSON object such as\n", kCallExample);
  }
  std::string text;
  for (const Observation& seen : step.observations) {
    text += concat(text.empty() ? "" : "\n", seen.failed ? "Error of " : "Observation of ",
                   seen.tool, ":\n", left_out ? "[left out, to save space]" : seen.text);
  }
  return text;
}

FLASHLM_INLINE std::size_t Agent::count(const std::vector<text::ChatMessage>& messages) const {
  constexpr std::size_t kAround = 12;  // tokens that a chat format writes around a message
  std::size_t tokens = 4 * kAround;    // a system message of the model's own
  for (const text::ChatMessage& message : messages)
    tokens += model_->count_tokens(message.content) + kAround;
  return tokens;
}

}  // namespace flashlm::inline FLASHLM_ABI::agent
