// SPDX-License-Identifier: Apache-2.0
/// action_parser.ipp: the bodies of action_parser.hpp.
#pragma once

#include "flashlm/agent/action_parser.hpp"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::agent {

namespace detail {

inline std::string_view stripped(std::string_view text) noexcept {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

/// The length of the JSON object or array that `text` begins with, by its brackets; 0 if they do
/// not close.
inline std::size_t bracketed(std::string_view text) noexcept {
  constexpr std::size_t kDeepest = 64;
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t index = 0; index < text.size(); ++index) {
    const char letter = text[index];
    if (quoted) {
      if (letter == '\\') ++index;
      if (letter == '"') quoted = false;
    } else if (letter == '"') {
      quoted = true;
    } else if (letter == '{' || letter == '[') {
      if (++depth > kDeepest) return 0;
    } else if (letter == '}' || letter == ']') {
      if (--depth == 0) return index + 1;
    }
  }
  return 0;
}

/// The calls in one JSON value, in any of the shapes that models write.
class CallReader {
 public:
  std::vector<ToolCall> calls;
  std::string thought;
  std::optional<std::string> problem;  // of the first call that is none

  /// Whether `json` is a call or a list of calls; if so they are added.
  bool read(const nlohmann::ordered_json& json) {
    if (json.is_array()) {
      bool all = !json.empty();
      for (const nlohmann::ordered_json& one : json) all = all && one.is_object() && is_call(one);
      if (all) {
        for (const nlohmann::ordered_json& one : json) read_object(one);
      }
      return all;
    }
    if (!json.is_object() || !is_call(json)) return false;
    read_object(json);
    return true;
  }

 private:
  static const nlohmann::ordered_json* find(const nlohmann::ordered_json& json,
                                            std::initializer_list<const char*> keys) {
    for (const char* key : keys) {
      const auto found = json.find(key);
      if (found != json.end()) return &*found;
    }
    return nullptr;
  }
  static const nlohmann::ordered_json* find_name(const nlohmann::ordered_json& json) {
    const nlohmann::ordered_json* name = find(json, {"name", "tool", "tool_name", "action"});
    return name != nullptr && name->is_string() ? name : nullptr;
  }
  static const nlohmann::ordered_json* find_arguments(const nlohmann::ordered_json& json) {
    return find(json, {"arguments", "parameters", "args", "action_input", "input"});
  }

  static bool is_call(const nlohmann::ordered_json& json) {
    const auto list = json.find("tool_calls");
    if (list != json.end()) return list->is_array() && !list->empty();
    const auto function = json.find("function");
    if (function != json.end() && function->is_object()) return is_call(*function);
    if (json.contains("final_answer")) return true;
    if (find_name(json) == nullptr) return false;
    if (find_arguments(json) != nullptr) return true;
    // {"name": "Ada", "born": 1815} is data; {"name": "now"} is a call without arguments.
    for (auto each = json.begin(); each != json.end(); ++each) {
      if (each.key() != "name" && each.key() != "tool" && each.key() != "action" &&
          each.key() != "id" && each.key() != "type" && each.key() != "thought") {
        return false;
      }
    }
    return true;
  }

  void read_object(const nlohmann::ordered_json& json) {
    const nlohmann::ordered_json* said = find(json, {"thought", "thoughts", "reasoning"});
    if (said != nullptr && said->is_string()) thought = said->get<std::string>();
    const auto list = json.find("tool_calls");
    if (list != json.end()) {
      for (const nlohmann::ordered_json& one : *list) {
        if (!one.is_object() || !is_call(one)) {
          problem = "tool_calls: expected a list of {\"name\": ..., \"arguments\": {...}}";
        } else {
          read_object(one);
        }
      }
      return;
    }
    const auto function = json.find("function");
    if (function != json.end() && function->is_object()) return read_object(*function);
    if (const auto answer = json.find("final_answer"); answer != json.end()) {
      calls.push_back({"", "final_answer", {{"answer", *answer}}});
      return;
    }
    const nlohmann::ordered_json* arguments = find_arguments(json);
    add(find_name(json)->get<std::string>(),
        arguments == nullptr ? nlohmann::ordered_json::object() : *arguments);
  }

  void add(std::string name, nlohmann::ordered_json arguments) {
    if (arguments.is_string()) {  // OpenAI's JSON in a string
      const auto& text = arguments.get_ref<const std::string&>();
      nlohmann::ordered_json parsed = nlohmann::ordered_json::parse(text, nullptr, false);
      if (parsed.is_object()) {
        arguments = std::move(parsed);
      } else if (name == "final_answer") {
        arguments = {{"answer", text}};
      }
    }
    if (arguments.is_null()) arguments = nlohmann::ordered_json::object();
    if (!arguments.is_object() && name == "final_answer")
      arguments = {{"answer", std::move(arguments)}};
    if (!arguments.is_object()) {
      problem = concat("the arguments of ", name, " are no JSON object");
      return;
    }
    calls.push_back({"", std::move(name), std::move(arguments)});
  }
};

/// Where the line begins that starts with `label`, and what follows the label; npos if there is
/// none.
inline std::size_t find_label(std::string_view text, std::string_view label,
                              std::size_t from = 0) noexcept {
  for (std::size_t place = text.find(label, from); place != std::string_view::npos;
       place = text.find(label, place + 1)) {
    const std::string_view before = text.substr(0, place);
    const std::size_t line = before.find_last_not_of(" \t*");
    if (line == std::string_view::npos || before[line] == '\n') return place;
  }
  return std::string_view::npos;
}

/// Without the words and signs that stand around a call.
inline std::string clean_thought(std::string_view text) {
  std::string_view thought = stripped(text);
  for (bool changed = true; changed;) {
    changed = false;
    for (const std::string_view end : {"<tool_call>", "```json", "```", "<|python_tag|>", "Action:",
                                       "[TOOL_CALLS]", "Calling tools:", "Final Answer:"}) {
      if (!thought.ends_with(end)) continue;
      thought = stripped(thought.substr(0, thought.size() - end.size()));
      changed = true;
    }
    for (const std::string_view begin : {"Thought:", "<think>"}) {
      if (!thought.starts_with(begin)) continue;
      thought = stripped(thought.substr(begin.size()));
      changed = true;
    }
    if (thought.ends_with("</think>")) {
      thought = stripped(thought.substr(0, thought.size() - 8));
      changed = true;
    }
  }
  return std::string(thought);
}

/// The answer in the arguments of final_answer.
inline std::string answer_text(const nlohmann::ordered_json& arguments) {
  const auto named = arguments.find("answer");
  const nlohmann::ordered_json& answer =
      named != arguments.end() ? *named : (arguments.size() == 1 ? *arguments.begin() : arguments);
  return answer.is_string()
             ? answer.get<std::string>()
             : answer.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

/// "Action: NAME" and "Action Input: ..." of ReAct; nothing if there is no such pair.
inline std::optional<ParsedText> parse_react(std::string_view text) {
  constexpr std::string_view kAction = "Action:";
  constexpr std::string_view kInput = "Action Input:";
  const std::size_t action = find_label(text, kAction);
  if (action == std::string_view::npos) return std::nullopt;
  const std::size_t input = find_label(text, kInput, action);
  if (input == std::string_view::npos) return std::nullopt;
  const std::string_view name =
      stripped(text.substr(action + kAction.size(), input - action - kAction.size()));
  if (name.empty() || name.find_first_of(" \n{") != std::string_view::npos) return std::nullopt;
  std::string_view given = stripped(text.substr(input + kInput.size()));
  if (!given.empty() && given.front() == '{')
    given = given.substr(0, std::max<std::size_t>(bracketed(given), 1));
  const nlohmann::ordered_json call = {{"name", name}, {"arguments", given}};
  CallReader reader;
  reader.read(call);
  std::string thought = clean_thought(text.substr(0, action));
  if (reader.problem) return ParsedText{std::move(thought), Malformed{*reader.problem}};
  if (reader.calls.front().name == "final_answer") {
    return ParsedText{std::move(thought), FinalAnswer{answer_text(reader.calls.front().arguments)}};
  }
  return ParsedText{std::move(thought), CallTools{std::move(reader.calls)}};
}

}  // namespace detail

FLASHLM_INLINE ParsedText parse_action(std::string_view text) {
  constexpr std::string_view kFinal = "Final Answer:";
  constexpr int kMostAttempts = 256;  // what is no JSON is looked at again from its next bracket on
  if (auto react = detail::parse_react(text)) return std::move(*react);
  detail::CallReader reader;
  std::string problem = "there is no tool call in it";
  const std::size_t final_answer = detail::find_label(text, kFinal);
  std::size_t first = std::string_view::npos;
  int attempts = 0;
  for (std::size_t place = text.find_first_of("{["); place < std::min(final_answer, text.size());) {
    const std::size_t length = detail::bracketed(text.substr(place));
    bool parsed = false;
    try {
      if (length > 0) {
        const nlohmann::ordered_json json =
            nlohmann::ordered_json::parse(text.substr(place, length));
        parsed = true;
        if (reader.read(json) && first == std::string_view::npos) first = place;
      } else if (text[place] == '{') {
        problem = "its JSON does not end";
      }
    } catch (const nlohmann::json::exception& error) {
      const std::string_view message = error.what();
      if (text[place] == '{')
        problem = concat("its JSON is broken: ", message.substr(message.find("] ") + 2));
    }
    if (!parsed && ++attempts == kMostAttempts) break;
    place = text.find_first_of("{[", parsed ? place + length : place + 1);
  }
  if (reader.problem)
    return {detail::clean_thought(text.substr(0, first)), Malformed{*reader.problem}};
  if (reader.calls.empty() && final_answer != std::string_view::npos) {
    return {detail::clean_thought(text.substr(0, final_answer)),
            FinalAnswer{std::string(detail::stripped(text.substr(final_answer + kFinal.size())))}};
  }
  if (reader.calls.empty()) return {detail::clean_thought(text), Malformed{std::move(problem)}};
  std::string thought =
      reader.thought.empty() ? detail::clean_thought(text.substr(0, first)) : reader.thought;
  const auto end = std::find_if(reader.calls.begin(), reader.calls.end(),
                                [](const ToolCall& call) { return call.name == "final_answer"; });
  if (end == reader.calls.begin())
    return {std::move(thought), FinalAnswer{detail::answer_text(end->arguments)}};
  reader.calls.erase(end, reader.calls.end());
  return {std::move(thought), CallTools{std::move(reader.calls)}};
}

}  // namespace flashlm::inline FLASHLM_ABI::agent
