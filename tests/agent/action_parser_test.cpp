// SPDX-License-Identifier: Apache-2.0
#include "flashlm/agent/action_parser.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/random.hpp"
#include "support/catch.hpp"

using namespace flashlm::agent;
using json = nlohmann::ordered_json;

namespace {

const ToolCall kAdd{"", "add", {{"a", 2}, {"b", 3}}};
const ToolCall kNow{"", "now", json::object()};

Action calls(std::vector<ToolCall> list) { return CallTools{std::move(list)}; }

std::string problem(std::string_view text) {
  const ParsedText parsed = parse_action(text);
  REQUIRE(std::holds_alternative<Malformed>(parsed.action));
  return std::get<Malformed>(parsed.action).problem;
}

}  // namespace

TEST_CASE("a call is read in every shape that models write") {
  for (
      const std::string_view text :
      {R"({"name": "add", "arguments": {"a": 2, "b": 3}})",
       R"({"name": "add", "parameters": {"a": 2, "b": 3}})",
       R"({"action": "add", "action_input": {"a": 2, "b": 3}})",
       R"({"tool": "add", "args": {"a": 2, "b": 3}})",
       R"({"name": "add", "arguments": "{\"a\": 2, \"b\": 3}"})",
       R"({"id": "x", "type": "function", "function": {"name": "add", "arguments": "{\"a\": 2, \"b\": 3}"}})",
       R"({"tool_calls": [{"function": {"name": "add", "arguments": {"a": 2, "b": 3}}}]})",
       R"([{"name": "add", "arguments": {"a": 2, "b": 3}}])",
       R"([TOOL_CALLS][{"name": "add", "arguments": {"a": 2, "b": 3}}])",
       R"(<|python_tag|>{"name": "add", "parameters": {"a": 2, "b": 3}})",
       "<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 2, \"b\": 3}}\n</tool_call>",
       "<tool_call>{\"name\": \"add\", \"arguments\": {\"a\": 2, \"b\": 3}}",
       "```json\n{\"name\": \"add\", \"arguments\": {\"a\": 2, \"b\": 3}}\n```",
       "Action:\n{\"name\": \"add\", \"arguments\": {\"a\": 2, \"b\": 3}}",
       "Action: add\nAction Input: {\"a\": 2, \"b\": 3}\nObservation: 5",
       "Braces {like this} and [these] before {\"name\": \"add\", \"arguments\": {\"a\": 2, \"b\": "
       "3}} and } after"}) {
    CAPTURE(text);
    CHECK(parse_action(text).action == calls({kAdd}));
  }
}

TEST_CASE("a call without arguments has none, and data with a name is no call") {
  CHECK(parse_action(R"({"name": "now"})").action == calls({kNow}));
  CHECK(parse_action(R"({"name": "now", "arguments": null})").action == calls({kNow}));
  CHECK(problem(R"({"name": "Ada", "born": 1815})") == "there is no tool call in it");
  CHECK(parse_action(R"(Action: find
Action Input: {"name": "now"})")
            .action == calls({{"", "find", {{"name", "now"}}}}));
}

TEST_CASE("several calls in one text come in their order") {
  const Action both = calls({kAdd, kNow});
  CHECK(parse_action(
            "<tool_call>{\"name\": \"add\", \"arguments\": {\"a\": 2, \"b\": 3}}</tool_call>\n"
            "<tool_call>{\"name\": \"now\", \"arguments\": {}}</tool_call>")
            .action == both);
  CHECK(
      parse_action(R"([{"name": "add", "arguments": {"a": 2, "b": 3}}, {"name": "now"}])").action ==
      both);
  CHECK(
      parse_action("{\"name\": \"add\", \"arguments\": {\"a\": 2, \"b\": 3}}; {\"name\": \"now\"}")
          .action == both);
}

TEST_CASE("the thought is what stands before the call, or what the call says of itself") {
  const std::string call = R"({"name": "now", "arguments": {}})";
  for (const std::string& text :
       {"Thought: I need the time.\nAction:\n" + call,
        "<think>I need the time.</think>\n<tool_call>" + call,
        "I need the time.\n```json\n" + call + "\n```",
        std::string(R"({"thought": "I need the time.", "name": "now", "arguments": {}})"),
        std::string("Thought: I need the time.\nAction: now\nAction Input: {}")}) {
    CAPTURE(text);
    const ParsedText parsed = parse_action(text);
    CHECK(parsed.thought == "I need the time.");
    CHECK(parsed.action == calls({kNow}));
  }
}

TEST_CASE("the final answer is read in every shape") {
  for (const std::string_view text :
       {R"({"name": "final_answer", "arguments": {"answer": "42"}})",
        R"({"name": "final_answer", "arguments": "42"})",
        R"({"name": "final_answer", "arguments": {"answer": 42}})",
        R"({"name": "final_answer", "arguments": 42})",
        R"({"name": "final_answer", "arguments": {"result": "42"}})", R"({"final_answer": "42"})",
        "Thought: done.\nFinal Answer: 42\n", "Final Answer: 42",
        "Action: final_answer\nAction Input: 42",
        "Action: final_answer\nAction Input: {\"answer\": \"42\"}"}) {
    CAPTURE(text);
    CHECK(parse_action(text).action == Action(FinalAnswer{"42"}));
  }
  CHECK(parse_action("Final Answer: use {\"name\": \"now\"}").action ==
        Action(FinalAnswer{"use {\"name\": \"now\"}"}));
}

TEST_CASE("calls before a final answer come first, for it cannot know what they give") {
  CHECK(parse_action(
            R"([{"name": "now"}, {"name": "final_answer", "arguments": {"answer": "noon"}}])")
            .action == calls({kNow}));
  CHECK(parse_action("{\"name\": \"now\"}\nFinal Answer: noon").action == calls({kNow}));
}

TEST_CASE("what is no call is malformed and says why") {
  CHECK(problem("") == "there is no tool call in it");
  CHECK(problem("Let me think.") == "there is no tool call in it");
  CHECK(problem("{\"name\": \"add\", \"arguments\": {") == "its JSON does not end");
  CHECK(problem("{'name': 'add'}").find("its JSON is broken: parse error") == 0);
  CHECK(problem(R"({"name": "add", "arguments": [1, 2]})") ==
        "the arguments of add are no JSON object");
  CHECK(problem(R"({"tool_calls": [3]})").find("tool_calls: expected") == 0);
  CHECK(problem("Action: add\nAction Input: two") == "the arguments of add are no JSON object");
  CHECK(problem(std::string(100000, '[')) == "there is no tool call in it");
  CHECK(problem(std::string(100000, '{')) == "its JSON does not end");
}

TEST_CASE("no text makes the parser throw") {
  flashlm::Random random(5);
  const std::vector<std::string> parts = {"{",
                                          "}",
                                          "[",
                                          "]",
                                          "\"name\"",
                                          ":",
                                          "\"add\"",
                                          ",",
                                          "\\",
                                          "\"",
                                          "Action:",
                                          "\n",
                                          "\"arguments\"",
                                          "1e999",
                                          "null",
                                          "\xff",
                                          "<tool_call>",
                                          "Final Answer:",
                                          "Action Input:",
                                          "{}",
                                          "\"function\""};
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (std::uint64_t count = random.next() % 24; count > 0; --count)
      text += parts[random.next() % parts.size()];
    CAPTURE(text);
    CHECK_NOTHROW(parse_action(text));
  }
}
