// SPDX-License-Identifier: Apache-2.0
#include "flashlm/agent/agent_prompt.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/agent/action_parser.hpp"
#include "flashlm/text/grammar/grammar.hpp"
#include "support/catch.hpp"
#include "support/grammar.hpp"

using namespace flashlm::agent;

namespace {

const std::vector<Tool> kTools = {
    {.name = "add",
     .description = "Adds \"two\" numbers.",
     .parameters = json_schema(R"({"b": {"type": "number"}, "a": {"type": "number"}})"),
     .run = [](const nlohmann::ordered_json&) { return std::string(); }},
};

}  // namespace

TEST_CASE("the prompt names each tool, its schema, the form of a call, and the instructions") {
  const std::string prompt = agent_prompt(kTools, "Be quick.");
  CHECK(
      prompt.find(
          R"({"name":"add","description":"Adds \"two\" numbers.","parameters":{"type":"object",)") !=
      std::string::npos);
  CHECK(prompt.find(R"("properties":{"b":{"type":"number"},"a":{"type":"number"}})") !=
        std::string::npos);
  CHECK(prompt.find(R"({"name":"final_answer")") != std::string::npos);
  CHECK(prompt.find(kCallExample) != std::string::npos);
  CHECK(prompt.ends_with("\nBe quick.\n"));
}

TEST_CASE("the example in the prompt is a call") {
  CHECK(parse_action(kCallExample).action == Action(FinalAnswer{"the answer"}));
}

TEST_CASE("the schema allows a call of each tool and the end, and a grammar can be made of it") {
  const auto schema = nlohmann::ordered_json::parse(call_schema(kTools));
  REQUIRE(schema["anyOf"].size() == 2);
  CHECK(schema["anyOf"][0]["properties"]["name"]["const"] == "add");
  CHECK(schema["anyOf"][0]["properties"]["arguments"] == kTools[0].parameters);
  CHECK(schema["anyOf"][0]["properties"].begin().key() == "thought");
  CHECK(schema["anyOf"][1]["properties"]["name"]["const"] == "final_answer");
  CHECK_NOTHROW(flashlm::text::Grammar::from_json_schema(schema));
  const auto last = nlohmann::ordered_json::parse(call_schema({}));
  CHECK(last["properties"]["name"]["const"] == "final_answer");
  CHECK_NOTHROW(flashlm::text::Grammar::from_json_schema(last));
}

TEST_CASE(
    "what no grammar knows of a tool's schema is left to the tool, and references count from its "
    "beginning") {
  std::vector<Tool> tools = kTools;
  tools.push_back(kTools[0]);
  tools.back().name = "tag";
  tools.back().parameters = nlohmann::ordered_json::parse(
      R"({"type": "object", "x-order": ["tags"], "properties": {"tags":
      {"type": "array", "contains": {"const": "a"}, "items": {"$ref": "#/$defs/tag"}}}, "required": ["tags"],
      "$defs": {"tag": {"type": "string", "pattern": "^[a-z]$"}}})");
  const KnownTools known = known_tools(tools);
  CHECK(known.left == std::vector<std::string>{"tag: 'contains' at #/properties/tags"});
  CHECK(known.tools[0].parameters == kTools[0].parameters);
  const auto grammar =
      flashlm::text::Grammar::from_json_schema(std::string_view(call_schema(known.tools)));
  CHECK(support::matches(grammar,
                         R"({"thought": "", "name": "tag", "arguments": {"tags": ["b", "c"]}})"));
  CHECK_FALSE(
      support::matches(grammar, R"({"thought": "", "name": "tag", "arguments": {"tags": ["B"]}})"));
}

TEST_CASE("a schema that is none leaves everything to its tool") {
  std::vector<Tool> tools = kTools;
  tools[0].parameters =
      nlohmann::ordered_json::parse(R"({"type": "object", "properties": {"a": 3}})");
  const KnownTools known = known_tools(tools);
  REQUIRE(known.left.size() == 1);
  CHECK(known.left[0].starts_with("add: all of it"));
  CHECK_NOTHROW(
      flashlm::text::Grammar::from_json_schema(std::string_view(call_schema(known.tools))));
}
