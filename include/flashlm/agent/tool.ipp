// SPDX-License-Identifier: Apache-2.0
/// tool.ipp: the bodies of tool.hpp.
#pragma once

#include "flashlm/agent/tool.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "flashlm/agent/arguments.hpp"
#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::agent {

FLASHLM_INLINE nlohmann::ordered_json json_schema(std::string_view properties) {
  const auto json =
      nlohmann::ordered_json::parse(properties.begin(), properties.end(), nullptr, false);
  if (!json.is_object()) throw ArgumentError("[tool] properties: expected a JSON object");
  nlohmann::ordered_json names = nlohmann::ordered_json::array();
  for (auto each = json.begin(); each != json.end(); ++each) names.push_back(each.key());
  return {{"type", "object"},
          {"properties", json},
          {"required", names},
          {"additionalProperties", false}};
}

FLASHLM_INLINE void check_tools(std::span<const Tool> tools) {
  for (const Tool& tool : tools) {
    const bool spelled = std::all_of(tool.name.begin(), tool.name.end(), [](unsigned char letter) {
      return letter == '_' || (letter >= '0' && letter <= '9') ||
             (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
    });
    if (tool.name.empty() || !spelled || tool.name == "final_answer") {
      throw ArgumentError(
          concat("[tool] name: expected letters, digits and '_', not final_answer, got '",
                 tool.name, "'"));
    }
    const auto same = std::count_if(tools.begin(), tools.end(),
                                    [&](const Tool& one) { return one.name == tool.name; });
    if (same > 1)
      throw ArgumentError(
          concat("[tool] name: expected each once, got '", tool.name, "' ", same, " times"));
    if (!tool.run)
      throw ArgumentError(concat("[tool] run: expected a function, got none (", tool.name, ")"));
    if (!tool.parameters.is_object() || !tool.parameters.contains("type") ||
        tool.parameters["type"] != "object") {
      throw ArgumentError(
          concat("[tool] parameters: expected the schema of an object (", tool.name, ")"));
    }
  }
}

namespace detail {

/// Runs the function; an exception becomes text. What is no std::exception passes through.
inline ToolResult run_tool(const std::function<std::string(const nlohmann::ordered_json&)>& run,
                           const nlohmann::ordered_json& arguments) {
  try {
    return {run(arguments), false};
  } catch (const std::exception& error) {
    return {error.what(), true};
  }
}

/// The same in a thread that is left alone after `seconds`.
inline ToolResult run_tool_within(const Tool& tool, const nlohmann::ordered_json& arguments,
                                  double seconds) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<ToolResult> result;
    std::exception_ptr other;
  };
  const auto shared = std::make_shared<Shared>();
  try {
    std::thread([shared, run = tool.run, arguments] {
      std::optional<ToolResult> result;
      std::exception_ptr other;
      try {
        result = run_tool(run, arguments);
      } catch (...) {
        other = std::current_exception();
      }
      const std::lock_guard lock(shared->mutex);
      shared->result = std::move(result);
      shared->other = other;
      shared->changed.notify_all();
    }).detach();
  } catch (const std::system_error& error) {
    return {concat("no thread to run it: ", error.what()), true};
  }
  std::unique_lock lock(shared->mutex);
  // steady_clock would overflow beyond some years.
  const std::chrono::duration<double> wait(std::min(seconds, 1e8));
  shared->changed.wait_for(lock, std::chrono::duration_cast<std::chrono::milliseconds>(wait),
                           [&] { return shared->result || shared->other; });
  if (shared->other) std::rethrow_exception(shared->other);
  if (shared->result) return std::move(*shared->result);
  return {concat("no result after ", seconds, " s"), true};
}

}  // namespace detail

FLASHLM_INLINE ToolResult call_tool(std::span<const Tool> tools, std::string_view name,
                                    const nlohmann::ordered_json& arguments) {
  const auto tool =
      std::find_if(tools.begin(), tools.end(), [&](const Tool& one) { return one.name == name; });
  if (tool == tools.end()) {
    std::string known = "final_answer";
    for (const Tool& one : tools) known += ", " + one.name;
    return {concat("there is no tool ", name, ". The tools are: ", known), true};
  }
  if (const auto problem = arguments_problem(tool->parameters, arguments)) return {*problem, true};
  return tool->max_seconds > 0 ? detail::run_tool_within(*tool, arguments, tool->max_seconds)
                               : detail::run_tool(tool->run, arguments);
}

}  // namespace flashlm::inline FLASHLM_ABI::agent
