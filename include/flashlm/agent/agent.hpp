// SPDX-License-Identifier: Apache-2.0
/// agent.hpp: a model that calls tools until it knows the answer (ReAct, arXiv:2210.03629).
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/agent/agent_prompt.hpp"
#include "flashlm/agent/step.hpp"
#include "flashlm/agent/tool.hpp"
#include "flashlm/text/chat/chat_model.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::agent {

/// How an agent works. The limits are of one task.
struct AgentOptions {
  std::string instructions{};             // added to the system message
  std::size_t max_steps = 10;             // in the last one the model is asked for its answer
  std::size_t min_calls = 0;              // that succeed; if constrained, no answer comes before
  std::size_t max_tokens = 0;             // generated; 0: no limit. The last text may pass it
  double max_seconds = 0;                 // 0: no limit. A text is broken off, a tool is not
  std::size_t observation_tokens = 1024;  // longer results are cut, with a note
  bool constrained = true;                // the model can write nothing but a call that fits
  text::ChatOptions chat{
      .generation = {.max_new_tokens = 512}};  // of each text; json_schema has no effect
};

/// Where a task stands.
enum class AgentStatus { idle, running, answered, out_of_steps, out_of_tokens, out_of_time };

/// "idle", "running", "answered", "out_of_steps", "out_of_tokens", "out_of_time".
constexpr std::string_view name(AgentStatus status) noexcept {
  constexpr std::string_view kNames[] = {"idle",         "running",       "answered",
                                         "out_of_steps", "out_of_tokens", "out_of_time"};
  return kNames[static_cast<std::size_t>(status)];
}

/// Gives a model a task and tools, and lets it work one step at a time.
///
///     Agent agent(model, {add});
///     agent.start("What is 2 + 3?");
///     while (const std::optional<Step> step = agent.next()) std::cout << to_string(*step);
///     std::cout << agent.answer();
///
/// What the model does wrong is data: a text that is no call, a tool that does not exist, arguments
/// that do not fit, and what a tool throws are told to the model, which tries again. What goes
/// wrong around it is thrown: errors of the model, such as IoError. A step that throws leaves the
/// task as it was; `next` may be called again. Not thread-safe.
class Agent {
 public:
  /// Throws ArgumentError for tools that no model could call, and limits of nothing.
  Agent(std::shared_ptr<text::ChatModel> model, std::vector<Tool> tools, AgentOptions options = {});

  /// What the tools' schemas ask for and no grammar knows: calls are not held to it, the tools have
  /// to check it. "search: 'contains' at #/properties/tags" each.
  const std::vector<std::string>& left_to_tools() const noexcept { return known_.left; }

  /// Begins a task, and forgets the one before.
  void start(std::string task);

  /// Does one step; nothing when the task has ended, or none was given. Throws what the model
  /// throws, and what a tool throws that is no std::exception.
  std::optional<Step> next();

  /// Begins a task and does all its steps. The answer; nothing if a limit came first, which
  /// `status` names.
  std::optional<std::string> run(std::string task);

  AgentStatus status() const noexcept { return status_; }
  const std::string& task() const noexcept { return task_; }
  const std::vector<Step>& steps() const noexcept { return steps_; }
  const std::vector<Tool>& tools() const noexcept { return tools_; }
  /// The answer to the task; empty until there is one.
  std::string answer() const;

  /// What the model is asked in the next step. Old observations are left out where the context is
  /// too small for them.
  std::vector<text::ChatMessage> messages() const;

  /// The task and its steps, from which `load` goes on.
  nlohmann::ordered_json save() const;

  /// Takes over a task that `save` wrote, or its text; the limits count what was done then. Throws
  /// FormatError for anything else, and then the task is as it was.
  void load(std::string_view json);
  template <std::same_as<nlohmann::ordered_json> Json>
  void load(const Json& json) {
    load(std::string_view(json.dump(-1, ' ', false, Json::error_handler_t::replace)));
  }

 private:
  using Clock = std::chrono::steady_clock;

  /// Breaks a text off. Never leaves this class.
  struct TimeUp {};

  static double since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
  }

  static AgentStatus read_status(const storage::JsonField& field);

  bool is_last_step() const noexcept { return steps_.size() + 1 >= options_.max_steps; }

  /// Calls that gave a result.
  std::size_t n_calls() const noexcept;

  void check_limits();

  /// The model's next text.
  std::string ask(Clock::time_point begin);

  void act(CallTools& tools, Step& step) const;

  /// The conversation so far, without the observations of the oldest steps.
  std::vector<text::ChatMessage> messages_without(std::size_t left_out) const;

  /// What the model is told after a step.
  static std::string reply(const Step& step, bool left_out);

  std::size_t count(const std::vector<text::ChatMessage>& messages) const;

  std::shared_ptr<text::ChatModel> model_;
  std::vector<Tool> tools_;
  KnownTools known_;
  AgentOptions options_;
  std::string task_;
  std::vector<Step> steps_;
  double seconds_ = 0;
  AgentStatus status_ = AgentStatus::idle;
};

}  // namespace flashlm::inline FLASHLM_ABI::agent

#if !defined(FLASHLM_COMPILED)
#include "flashlm/agent/agent.ipp"
#endif
