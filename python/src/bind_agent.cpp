// SPDX-License-Identifier: Apache-2.0
/// bind_agent.cpp: flashlm._core.Agent, whose model and tools are Python functions.
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <nlohmann/json.hpp>

#include "flashlm/agent/agent.hpp"
#include "flashlm/agent/observation_budget.hpp"

namespace py = pybind11;
using namespace py::literals;
using flashlm::ArgumentError;
using flashlm::agent::Agent;
using flashlm::agent::AgentOptions;
using flashlm::agent::Step;
using flashlm::agent::Tool;
using flashlm::text::ChatMessage;
using flashlm::text::ChatModel;
using flashlm::text::ChatOptions;

namespace {

using Messages = std::vector<std::tuple<std::string, std::string>>;
using OnPiece = std::function<bool(const std::string&)>;
using OnPrefill = std::function<bool(std::size_t, std::size_t)>;
using Answer =
    std::function<std::string(Messages, std::string, std::vector<std::string>, OnPiece, OnPrefill)>;
using CountTokens = std::function<std::size_t(const std::string&)>;
using RunTool = std::function<std::string(const std::string&)>;
using ToolParts = std::tuple<std::string, std::string, std::string, RunTool>;

/// What a Python function raised that is no mistake of a tool, such as KeyboardInterrupt. No
/// std::exception, so that the agent lets it through.
struct Raised {
  py::error_already_set error;
};

/// A chat model that is a Python function.
class PyChatModel : public ChatModel {
 public:
  PyChatModel(Answer answer, CountTokens count_tokens, std::size_t context)
      : answer_(std::move(answer)), count_tokens_(std::move(count_tokens)), context_(context) {}

  std::string answer(std::span<const ChatMessage> messages, const ChatOptions& options) override {
    Messages plain;
    for (const ChatMessage& message : messages) plain.emplace_back(message.role, message.content);
    std::exception_ptr stopped;
    // An exception of the agent's own cannot pass through Python: it waits, and Python is told to
    // end the text.
    const auto unless_stopped = [&stopped](const auto& tell) {
      try {
        tell();
        return true;
      } catch (...) {
        stopped = std::current_exception();
        return false;
      }
    };
    std::string text = answer_(
        plain, options.json_schema, options.generation.stop,
        [&](const std::string& piece) {
          return unless_stopped([&] {
            if (options.on_piece) options.on_piece(piece);
          });
        },
        [&](std::size_t done, std::size_t total) {
          return unless_stopped([&] {
            if (options.generation.on_prefill) options.generation.on_prefill(done, total);
          });
        });
    if (stopped) std::rethrow_exception(stopped);
    return text;
  }

  std::size_t count_tokens(std::string_view text) const override {
    return count_tokens_(std::string(text));
  }
  std::size_t context() const override { return context_; }

 private:
  Answer answer_;
  CountTokens count_tokens_;
  std::size_t context_;
};

Tool tool_of(const ToolParts& parts) {
  const auto& [name, description, schema, run] = parts;
  Tool tool{.name = name, .description = description, .parameters = {}, .run = {}};
  tool.parameters = nlohmann::ordered_json::parse(schema, nullptr, false);
  tool.run = [run = run](const nlohmann::ordered_json& arguments) {
    try {
      return run(arguments.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace));
    } catch (py::error_already_set& error) {
      if (!error.matches(PyExc_Exception)) throw Raised{error};
      const std::string kind = py::str(error.type().attr("__name__"));
      const std::string message = py::str(error.value());
      throw std::runtime_error(message.empty() ? kind : kind + ": " + message);
    }
  };
  return tool;
}

std::unique_ptr<Agent> make_agent(Answer answer, CountTokens count_tokens, std::size_t context,
                                  const std::vector<ToolParts>& tools,
                                  const std::string& instructions, std::size_t max_steps,
                                  std::size_t min_calls, std::size_t max_tokens, double max_seconds,
                                  std::size_t observation_tokens, std::size_t max_new_tokens,
                                  bool constrained) {
  std::vector<Tool> made;
  for (const ToolParts& parts : tools) made.push_back(tool_of(parts));
  AgentOptions options{.instructions = instructions,
                       .max_steps = max_steps,
                       .min_calls = min_calls,
                       .max_tokens = max_tokens,
                       .max_seconds = max_seconds,
                       .observation_tokens = observation_tokens,
                       .constrained = constrained};
  options.chat.generation.max_new_tokens = max_new_tokens;
  return std::make_unique<Agent>(
      std::make_shared<PyChatModel>(std::move(answer), std::move(count_tokens), context),
      std::move(made), options);
}

using Shown = std::tuple<std::string, std::string>;

std::string dumped(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

Shown shown(const Step& step) { return {dumped(to_json(step)), to_string(step)}; }

std::optional<Shown> next(Agent& self) {
  try {
    const std::optional<Step> step = self.next();
    return step ? std::optional<Shown>(shown(*step)) : std::nullopt;
  } catch (Raised& raised) {
    throw std::move(raised.error);
  }
}

}  // namespace

void bind_agent(py::module_& module) {
  py::class_<Agent>(
      module, "Agent",
      "A model that calls tools until it knows the answer. Steps are JSON texts here.")
      .def(py::init(&make_agent), "answer"_a, "count_tokens"_a, "context"_a, "tools"_a,
           py::kw_only(), "instructions"_a = "", "max_steps"_a = 10, "min_calls"_a = 0,
           "max_tokens"_a = 0, "max_seconds"_a = 0.0, "observation_tokens"_a = 1024,
           "max_new_tokens"_a = 512, "constrained"_a = true, R"(Make an agent.

Args:
    answer: Called with messages, a JSON schema or "", stop texts, a function to call with each piece and one to call
        with prompt tokens done and in total; both return False when the text should end. Returns the text.
    count_tokens: Counts those of a text.
    context: Tokens that a conversation may have.
    tools: Name, description, JSON schema and function of each; the function takes and returns text, its arguments as
        JSON.
    instructions: Added to the system message.
    max_steps: Of a task.
    min_calls: That give a result before the answer, if `constrained`.
    max_tokens: Generated in a task; 0 for no limit.
    max_seconds: Of a task; 0 for no limit.
    observation_tokens: What a tool may say.
    max_new_tokens: Of one text.
    constrained: Whether `answer` is given a schema.

Raises:
    ArgumentError: A tool that no model could call, or a limit of nothing.)")
      .def("start", &Agent::start, "task"_a, "Begin a task.")
      .def("next", &next,
           "Do a step. Its JSON and its text for people; None when the task has ended.")
      .def(
          "steps",
          [](const Agent& self) {
            std::vector<Shown> steps;
            for (const Step& step : self.steps()) steps.push_back(shown(step));
            return steps;
          },
          "All steps so far, as `next` gives them.")
      .def(
          "messages",
          [](const Agent& self) {
            Messages messages;
            for (const ChatMessage& message : self.messages())
              messages.emplace_back(message.role, message.content);
            return messages;
          },
          "What the model is asked in the next step.")
      .def(
          "save", [](const Agent& self) { return dumped(self.save()); },
          "The task and its steps as JSON.")
      .def(
          "load", [](Agent& self, const std::string& json) { self.load(json); }, "json"_a,
          "Go on with what `save` gave. Raises FormatError for anything else.")
      .def_property_readonly("left_to_tools", &Agent::left_to_tools,
                             "What the tools' schemas ask for and no grammar knows.")
      .def_property_readonly("task", &Agent::task, "The task.")
      .def_property_readonly("answer", &Agent::answer, "The answer; empty until there is one.")
      .def_property_readonly(
          "status", [](const Agent& self) { return std::string(name(self.status())); },
          "'idle', 'running', 'answered', 'out_of_steps', 'out_of_tokens' or 'out_of_time'.");
  module.def(
      "cut_to_tokens",
      [](const std::string& text, std::size_t budget, const CountTokens& count_tokens) {
        return flashlm::agent::cut_to_tokens(text, budget, count_tokens);
      },
      "text"_a, "budget"_a, "count_tokens"_a,
      R"(Cut a text to its beginning of so many tokens, with a note.

Args:
    text: The text.
    budget: So many tokens, and those of the note.
    count_tokens: Counts those of a text.

Returns:
    The text, or its beginning and a line that says how much of it that is.)");
}
