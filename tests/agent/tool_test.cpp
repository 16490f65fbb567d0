// SPDX-License-Identifier: Apache-2.0
#include "flashlm/agent/tool.hpp"

#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"

using flashlm::ArgumentError;
using namespace flashlm::agent;
using json = nlohmann::ordered_json;

namespace {

Tool shout() {
  return {.name = "shout",
          .description = "Adds an exclamation mark.",
          .parameters = json_schema(R"({"text": {"type": "string"}})"),
          .run = [](const json& arguments) { return arguments["text"].get<std::string>() + "!"; }};
}

}  // namespace

TEST_CASE("a tool is called by its name with arguments that fit") {
  const std::vector<Tool> tools = {shout()};
  check_tools(tools);
  const ToolResult result = call_tool(tools, "shout", {{"text", "hey"}});
  CHECK(result.text == "hey!");
  CHECK(call_tool(tools, "shout", R"({"text": "ho"})").text == "ho!");
  CHECK(call_tool(tools, "shout", std::string("{")).text == "arguments: expected JSON");
  CHECK_FALSE(result.failed);
}

TEST_CASE("a wrong name, wrong arguments and an exception are results that say so") {
  std::vector<Tool> tools = {shout()};
  tools.push_back({.name = "fail", .description = "", .run = [](const json&) -> std::string {
                     throw std::runtime_error("the disk is on fire");
                   }});
  CHECK(call_tool(tools, "whisper", {}).text ==
        "there is no tool whisper. The tools are: final_answer, shout, fail");
  CHECK(call_tool(tools, "shout", {{"text", 3}}).text == "arguments.text: expected string, got 3");
  CHECK(call_tool(tools, "fail", json::object()).text == "the disk is on fire");
  CHECK(call_tool(tools, "fail", json::object()).failed);
}

TEST_CASE("what is no std::exception passes through") {
  std::vector<Tool> tools = {
      {.name = "stop", .description = "", .run = [](const json&) -> std::string { throw 7; }}};
  CHECK_THROWS_AS(call_tool(tools, "stop", json::object()), int);
  tools[0].max_seconds = 600;
  CHECK_THROWS_AS(call_tool(tools, "stop", json::object()), int);
}

TEST_CASE("a tool that hangs is left alone after its time") {
  const auto done = std::make_shared<std::promise<std::string>>();
  std::vector<Tool> tools = {
      {.name = "hang",
       .description = "",
       .run = [done, result = done->get_future().share()](const json&) { return result.get(); }}};
  tools[0].max_seconds = 0.02;
  const ToolResult result =
      call_tool(tools, "hang", json::object());  // which could not return otherwise
  CHECK(result.failed);
  CHECK(result.text == "no result after 0.02 s");
  done->set_value("late");
  tools[0].max_seconds = 600;
  CHECK(call_tool(tools, "hang", json::object()).text == "late");
}

TEST_CASE("tools that no model could call are ArgumentErrors") {
  const auto refused = [](const auto& change) {
    std::vector<Tool> tools = {shout()};
    change(tools);
    CHECK_THROWS_AS(check_tools(tools), ArgumentError);
  };
  refused([](auto& tools) { tools[0].name = ""; });
  refused([](auto& tools) { tools[0].name = "two words"; });
  refused([](auto& tools) { tools[0].name = "final_answer"; });
  refused([](auto& tools) { tools.push_back(tools[0]); });
  refused([](auto& tools) { tools[0].run = nullptr; });
  refused([](auto& tools) { tools[0].parameters = 3; });
  refused([](auto& tools) { tools[0].parameters["type"] = "string"; });
  CHECK_THROWS_AS(json_schema("[]"), ArgumentError);
  CHECK_THROWS_AS(json_schema("{"), ArgumentError);
}
