// SPDX-License-Identifier: Apache-2.0
/// agent.hpp: a model that calls tools until it knows the answer (ReAct, arXiv:2210.03629).
#pragma once

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/agent/action_parser.hpp"
#include "flashlm/agent/agent_prompt.hpp"
#include "flashlm/agent/observation_budget.hpp"
#include "flashlm/agent/step.hpp"
#include "flashlm/agent/tool.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/text/chat_model.hpp"

namespace flashlm::inline v0::agent {

/// How an agent works. The limits are of one task.
struct AgentOptions {
  std::string instructions{};             // added to the system message
  std::size_t max_steps = 10;             // in the last one the model is asked for its answer
  std::size_t min_calls = 0;              // that succeed; if constrained, no answer comes before
  std::size_t max_tokens = 0;             // generated; 0: no limit. The last text may pass it
  double max_seconds = 0;                 // 0: no limit. A text is broken off, a tool is not
  std::size_t observation_tokens = 1024;  // longer results are cut, with a note
  bool constrained = true;                // the model can write nothing but a call that fits
  text::ChatOptions chat{.generation = {.max_new_tokens = 512}};  // of each text; json_schema has no effect
};

/// Where a task stands.
enum class AgentStatus { idle, running, answered, out_of_steps, out_of_tokens, out_of_time };

/// "idle", "running", "answered", "out_of_steps", "out_of_tokens", "out_of_time".
constexpr std::string_view name(AgentStatus status) noexcept {
  constexpr std::string_view kNames[] = {"idle", "running", "answered", "out_of_steps", "out_of_tokens", "out_of_time"};
  return kNames[static_cast<std::size_t>(status)];
}

/// Gives a model a task and tools, and lets it work one step at a time.
///
///     Agent agent(model, {add});
///     agent.start("What is 2 + 3?");
///     while (const std::optional<Step> step = agent.next()) std::cout << to_string(*step);
///     std::cout << agent.answer();
///
/// What the model does wrong is data: a text that is no call, a tool that does not exist, arguments that do not fit,
/// and what a tool throws are told to the model, which tries again. What goes wrong around it is thrown: errors of the
/// model, such as IoError. A step that throws leaves the task as it was; `next` may be called again. Not thread-safe.
class Agent {
 public:
  /// Throws ArgumentError for tools that no model could call, and limits of nothing.
  Agent(std::shared_ptr<text::ChatModel> model, std::vector<Tool> tools, AgentOptions options = {})
      : model_(std::move(model)), tools_(std::move(tools)), options_(std::move(options)) {
    check_tools(tools_);
    if (!model_) throw ArgumentError("[agent] model: expected one, got none");
    if (options_.max_steps == 0) throw ArgumentError("[agent] max_steps: expected at least 1, got 0");
    if (!(options_.max_seconds >= 0)) {
      throw ArgumentError(concat("[agent] max_seconds: expected at least 0, got ", options_.max_seconds));
    }
    if (options_.observation_tokens == 0) throw ArgumentError("[agent] observation_tokens: expected at least 1, got 0");
    if (options_.constrained) known_ = known_tools(tools_);
  }

  /// What the tools' schemas ask for and no grammar knows: calls are not held to it, the tools have to check it.
  /// "search: 'contains' at #/properties/tags" each.
  const std::vector<std::string>& left_to_tools() const noexcept { return known_.left; }

  /// Begins a task, and forgets the one before.
  void start(std::string task) {
    task_ = std::move(task);
    steps_.clear();
    seconds_ = 0;
    status_ = AgentStatus::running;
  }

  /// Does one step; nothing when the task has ended, or none was given. Throws what the model throws, and what a
  /// tool throws that is no std::exception.
  std::optional<Step> next() {
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

  /// Begins a task and does all its steps. The answer; nothing if a limit came first, which `status` names.
  std::optional<std::string> run(std::string task) {
    start(std::move(task));
    while (next()) {
    }
    if (status_ != AgentStatus::answered) return std::nullopt;
    return answer();
  }

  AgentStatus status() const noexcept { return status_; }
  const std::string& task() const noexcept { return task_; }
  const std::vector<Step>& steps() const noexcept { return steps_; }
  const std::vector<Tool>& tools() const noexcept { return tools_; }
  /// The answer to the task; empty until there is one.
  std::string answer() const {
    if (steps_.empty() || status_ != AgentStatus::answered) return {};
    return std::get<FinalAnswer>(steps_.back().action).text;
  }

  /// What the model is asked in the next step. Old observations are left out where the context is too small for them.
  std::vector<text::ChatMessage> messages() const {
    const std::size_t answer = std::min(options_.chat.generation.max_new_tokens, model_->context() / 2);
    const std::size_t budget = model_->context() - answer;
    std::size_t left_out = 0;
    std::vector<text::ChatMessage> messages = messages_without(0);
    while (left_out < steps_.size() && count(messages) > budget) messages = messages_without(++left_out);
    return messages;
  }

  /// The task and its steps, from which `load` goes on.
  nlohmann::ordered_json save() const {
    nlohmann::ordered_json steps = nlohmann::ordered_json::array();
    for (const Step& step : steps_) steps.push_back(to_json(step));
    return {{"version", 1u}, {"task", task_}, {"status", name(status_)}, {"seconds", seconds_}, {"steps", steps}};
  }

  /// Takes over a task that `save` wrote, or its text; the limits count what was done then. Throws FormatError for
  /// anything else, and then the task is as it was.
  void load(std::string_view json) {
    const auto parsed = nlohmann::ordered_json::parse(json.begin(), json.end(), nullptr, false);
    if (parsed.is_discarded()) throw FormatError("[agent] saved task: expected JSON, got other text");
    load(parsed);
  }
  template <std::same_as<nlohmann::ordered_json> Json>
  void load(const Json& json) {
    const JsonField fields(json, "agent", "saved task");
    fields.only({"version", "task", "status", "seconds", "steps"});
    fields["version"].count(1, 1);
    std::vector<Step> steps;
    fields["steps"].elements([&](const JsonField& one) {
      steps.push_back(read_step(one));
      if (steps.back().number != steps.size()) one["number"].wrong(std::to_string(steps.size()));
    });
    const AgentStatus status = read_status(fields["status"]);
    const bool ends = !steps.empty() && std::holds_alternative<FinalAnswer>(steps.back().action);
    if (ends != (status == AgentStatus::answered)) fields["status"].wrong("answered where the last step is an answer");
    if (!fields["seconds"].value().is_number()) fields["seconds"].wrong("a number");
    task_ = fields["task"].string();
    seconds_ = fields["seconds"].value().get<double>();
    // A limit that was reached may be a larger one now.
    status_ = status == AgentStatus::idle || status == AgentStatus::answered ? status : AgentStatus::running;
    steps_ = std::move(steps);
  }

 private:
  using Clock = std::chrono::steady_clock;

  /// Breaks a text off. Never leaves this class.
  struct TimeUp {};

  static double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

  static AgentStatus read_status(const JsonField& field) {
    for (int status = 0; status <= static_cast<int>(AgentStatus::out_of_time); ++status) {
      if (field.string() == name(static_cast<AgentStatus>(status))) return static_cast<AgentStatus>(status);
    }
    field.wrong("the status of a task");
  }

  bool is_last_step() const noexcept { return steps_.size() + 1 >= options_.max_steps; }

  /// Calls that gave a result.
  std::size_t n_calls() const noexcept {
    std::size_t n = 0;
    for (const Step& step : steps_) {
      for (const Observation& seen : step.observations) n += seen.failed ? 0 : 1;
    }
    return n;
  }

  void check_limits() {
    if (status_ != AgentStatus::running) return;
    std::size_t tokens = 0;
    for (const Step& step : steps_) tokens += step.output_tokens;
    if (steps_.size() >= options_.max_steps) status_ = AgentStatus::out_of_steps;
    if (options_.max_tokens > 0 && tokens >= options_.max_tokens) status_ = AgentStatus::out_of_tokens;
    if (options_.max_seconds > 0 && seconds_ >= options_.max_seconds) status_ = AgentStatus::out_of_time;
  }

  /// The model's next text.
  std::string ask(Clock::time_point begin) {
    text::ChatOptions chat = options_.chat;
    chat.json_schema.clear();
    if (options_.constrained) {
      chat.json_schema = call_schema(is_last_step() ? std::span<const Tool>() : std::span<const Tool>(known_.tools),
                                     n_calls() >= options_.min_calls);
    } else {
      chat.generation.stop.push_back("\nObservation:");  // the model may not make up what its tools say
    }
    if (options_.max_seconds > 0) {
      const auto check = [this, begin] {
        if (seconds_ + since(begin) >= options_.max_seconds) throw TimeUp();
      };
      chat.generation.on_prefill = [check, told = options_.chat.generation.on_prefill](std::size_t done,
                                                                                       std::size_t total) {
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

  void act(CallTools& tools, Step& step) const {
    for (std::size_t index = 0; index < tools.calls.size(); ++index) {
      ToolCall& call = tools.calls[index];
      call.id = concat("call_", step.number, "_", index + 1);
      ToolResult result = call_tool(tools_, call.name, call.arguments);
      step.observations.push_back(
          {call.id, call.name, cut_to_tokens(result.text, options_.observation_tokens, *model_), result.failed});
    }
  }

  /// The conversation so far, without the observations of the oldest steps.
  std::vector<text::ChatMessage> messages_without(std::size_t left_out) const {
    std::vector<text::ChatMessage> messages = {{"system", agent_prompt(tools_, options_.instructions)},
                                               {"user", task_}};
    for (std::size_t index = 0; index < steps_.size(); ++index) {
      messages.push_back({"assistant", steps_[index].output});
      messages.push_back({"user", reply(steps_[index], index < left_out)});
    }
    if (is_last_step()) messages.back().content += "\nThis is the last step: call final_answer now.";
    return messages;
  }

  /// What the model is told after a step.
  static std::string reply(const Step& step, bool left_out) {
    if (const auto* malformed = std::get_if<Malformed>(&step.action)) {
      return concat("That was no call of a tool: ", malformed->problem, ". Answer with one JSON object such as\n",
                    kCallExample);
    }
    std::string text;
    for (const Observation& seen : step.observations) {
      text += concat(text.empty() ? "" : "\n", seen.failed ? "Error of " : "Observation of ", seen.tool, ":\n",
                     left_out ? "[left out, to save space]" : seen.text);
    }
    return text;
  }

  std::size_t count(const std::vector<text::ChatMessage>& messages) const {
    constexpr std::size_t kAround = 12;  // tokens that a chat format writes around a message
    std::size_t tokens = 4 * kAround;    // a system message of the model's own
    for (const text::ChatMessage& message : messages) tokens += model_->count_tokens(message.content) + kAround;
    return tokens;
  }

  std::shared_ptr<text::ChatModel> model_;
  std::vector<Tool> tools_;
  KnownTools known_;
  AgentOptions options_;
  std::string task_;
  std::vector<Step> steps_;
  double seconds_ = 0;
  AgentStatus status_ = AgentStatus::idle;
};

}  // namespace flashlm::inline v0::agent
