// SPDX-License-Identifier: Apache-2.0
#include "flashlm/agent/agent.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/error.hpp"
#include "flashlm/text/chat/flash_chat_model.hpp"
#include "flashlm/text/chat/scripted_chat_model.hpp"
#include "support/catch.hpp"
#include "support/tiny_model.hpp"

using namespace flashlm;
using namespace flashlm::agent;
using json = nlohmann::ordered_json;
using text::ChatMessage;
using text::ScriptedChatModel;

namespace {

const std::string kAdd =
    R"({"thought": "Add them.", "name": "add", "arguments": {"a": 2, "b": 3}})";
const std::string kAnswer =
    R"({"thought": "Done.", "name": "final_answer", "arguments": {"answer": "5"}})";

std::vector<Tool> tools() {
  return {{.name = "add",
           .description = "Adds two numbers.",
           .parameters = json_schema(R"({"a": {"type": "integer"}, "b": {"type": "integer"}})"),
           .run =
               [](const json& given) {
                 return std::to_string(given["a"].get<int>() + given["b"].get<int>());
               }},
          {.name = "fail", .description = "Fails.", .run = [](const json&) -> std::string {
             throw std::runtime_error("out of paper");
           }}};
}

struct Scripted {
  explicit Scripted(std::vector<std::string> answers, AgentOptions options = {},
                    std::size_t context = 4096)
      : model(std::make_shared<ScriptedChatModel>(std::move(answers), context)),
        agent(model, tools(), options) {}
  /// The last message of the request of that number.
  const std::string& told(std::size_t request) {
    return model->requests().at(request).messages.back().content;
  }

  std::shared_ptr<ScriptedChatModel> model;
  Agent agent;
};

/// Fails at first, then answers.
class FlakyModel : public ScriptedChatModel {
 public:
  using ScriptedChatModel::ScriptedChatModel;
  std::string answer(std::span<const ChatMessage> messages,
                     const text::ChatOptions& options) override {
    if (!failed_) {
      failed_ = true;
      throw IoError("[test] read", EIO, "disk");
    }
    return ScriptedChatModel::answer(messages, options);
  }

 private:
  bool failed_ = false;
};

/// Writes one letter after the other, without end.
class EndlessModel : public text::ChatModel {
 public:
  std::string answer(std::span<const ChatMessage>, const text::ChatOptions& options) override {
    for (;;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (options.on_piece) options.on_piece("a");
    }
  }
  std::size_t count_tokens(std::string_view text) const override { return text.size(); }
  std::size_t context() const override { return 1000; }
};

}  // namespace

TEST_CASE("a task is solved step by step") {
  Scripted scripted({kAdd, kAnswer});
  Agent& agent = scripted.agent;
  CHECK(agent.status() == AgentStatus::idle);
  CHECK_FALSE(agent.next());
  agent.start("What is 2 + 3?");
  const auto first = agent.next();
  REQUIRE(first);
  CHECK(first->number == 1);
  CHECK(first->thought == "Add them.");
  CHECK(first->observations == std::vector<Observation>{{"call_1_1", "add", "5", false}});
  CHECK(agent.status() == AgentStatus::running);
  CHECK(agent.answer().empty());
  const auto second = agent.next();
  REQUIRE(second);
  CHECK(second->action == Action(FinalAnswer{"5"}));
  CHECK(agent.status() == AgentStatus::answered);
  CHECK(agent.answer() == "5");
  CHECK_FALSE(agent.next());
  CHECK(agent.steps().size() == 2);
}

TEST_CASE("the conversation only grows, so that a session need not read it again") {
  Scripted scripted({kAdd, "hm", kAnswer});
  scripted.agent.run("What is 2 + 3?");
  const auto& requests = scripted.model->requests();
  REQUIRE(requests.size() == 3);
  CHECK(requests[0].messages.size() == 2);
  CHECK(requests[0].messages[1] == ChatMessage{"user", "What is 2 + 3?"});
  for (std::size_t request = 1; request < requests.size(); ++request) {
    const auto& before = requests[request - 1].messages;
    REQUIRE(requests[request].messages.size() == before.size() + 2);
    CHECK(std::equal(before.begin(), before.end(), requests[request].messages.begin()));
  }
  CHECK(requests[1].messages[2] == ChatMessage{"assistant", kAdd});
  CHECK(scripted.told(1) == "Observation of add:\n5");
}

TEST_CASE("the model is held to calls that fit") {
  Scripted scripted({kAnswer});
  scripted.agent.run("x");
  const auto schema = json::parse(scripted.model->requests()[0].json_schema);
  CHECK(schema["anyOf"].size() == 3);
  CHECK(scripted.model->requests()[0].generation.stop.empty());
  Scripted free({kAnswer}, {.constrained = false});
  free.agent.run("x");
  CHECK(free.model->requests()[0].json_schema.empty());
  CHECK(free.model->requests()[0].generation.stop == std::vector<std::string>{"\nObservation:"});
}

TEST_CASE("what the model does wrong is told to it") {
  Scripted scripted({"Let me think.", R"({"name": "add", "arguments": {"a": "2", "b": 3}})",
                     R"({"name": "multiply", "arguments": {}})", R"({"name": "fail"})", kAnswer});
  CHECK(scripted.agent.run("x") == "5");
  CHECK(
      scripted.told(1).find(
          "That was no call of a tool: there is no tool call in it. Answer with one JSON object") ==
      0);
  CHECK(scripted.told(2) == "Error of add:\narguments.a: expected integer, got \"2\"");
  CHECK(scripted.told(3) ==
        "Error of multiply:\nthere is no tool multiply. The tools are: final_answer, add, fail");
  CHECK(scripted.told(4) == "Error of fail:\nout of paper");
}

TEST_CASE("several calls of one text are done in order, with ids of their own") {
  Scripted scripted(
      {"<tool_call>" + kAdd + "</tool_call><tool_call>{\"name\": \"fail\"}</tool_call>", kAnswer});
  scripted.agent.run("x");
  const Step& step = scripted.agent.steps()[0];
  REQUIRE(step.observations.size() == 2);
  CHECK(step.observations[0] == Observation{"call_1_1", "add", "5", false});
  CHECK(step.observations[1] == Observation{"call_1_2", "fail", "out of paper", true});
  CHECK(scripted.told(1) == "Observation of add:\n5\nError of fail:\nout of paper");
}

TEST_CASE("in its last step the model is asked for the answer, and can give nothing else") {
  Scripted scripted({kAdd, kAdd, kAdd}, {.max_steps = 3});
  CHECK_FALSE(scripted.agent.run("x"));
  CHECK(scripted.agent.status() == AgentStatus::out_of_steps);
  CHECK(scripted.agent.steps().size() == 3);
  CHECK(scripted.told(1).find("last step") == std::string::npos);
  CHECK(scripted.told(2).find("This is the last step: call final_answer now.") !=
        std::string::npos);
  const auto schema = json::parse(scripted.model->requests()[2].json_schema);
  CHECK(schema["properties"]["name"]["const"] == "final_answer");
}

TEST_CASE("the model cannot answer before so many calls gave a result, but for the last step") {
  const std::string fail = R"({"name": "fail", "arguments": {}})";
  Scripted scripted({kAdd, fail, kAdd, kAnswer}, {.min_calls = 2});
  CHECK(scripted.agent.run("x") == "5");
  for (const std::size_t request : {0, 1, 2, 3}) {
    const bool offered =
        scripted.model->requests()[request].json_schema.find("final_answer") != std::string::npos;
    CHECK(offered == (request == 3));  // the call that failed does not count
  }
  Scripted last({kAdd, kAnswer}, {.max_steps = 2, .min_calls = 9});
  CHECK(last.agent.run("x") == "5");
}

TEST_CASE("tokens and time are limits too") {
  Scripted tokens({kAdd, kAdd, kAdd}, {.max_tokens = 12});
  CHECK_FALSE(tokens.agent.run("x"));
  CHECK(tokens.agent.status() == AgentStatus::out_of_tokens);
  CHECK(tokens.agent.steps().size() == 2);
  Agent endless(std::make_shared<EndlessModel>(), tools(), {.max_seconds = 0.05});
  CHECK_FALSE(endless.run("x"));
  CHECK(endless.status() == AgentStatus::out_of_time);
  CHECK(endless.steps().empty());
}

TEST_CASE("an error of the model passes through, and the step may be tried again") {
  const auto model = std::make_shared<FlakyModel>(std::vector<std::string>{kAdd, kAnswer});
  Agent agent(model, tools());
  agent.start("x");
  CHECK_THROWS_AS(agent.next(), IoError);
  CHECK(agent.steps().empty());
  CHECK(agent.status() == AgentStatus::running);
  CHECK(agent.next());
  CHECK(agent.next());
  CHECK(agent.answer() == "5");
}

TEST_CASE("a saved task goes on where it stood") {
  Scripted whole({kAdd, "hm", kAnswer});
  whole.agent.run("What is 2 + 3?");
  Scripted begun({kAdd, "hm"});
  begun.agent.start("What is 2 + 3?");
  begun.agent.next();
  begun.agent.next();
  const json saved = json::parse(begun.agent.save().dump());
  Scripted resumed({kAnswer});
  resumed.agent.load(saved);
  CHECK(resumed.agent.steps() == begun.agent.steps());
  CHECK(resumed.agent.next());
  CHECK(resumed.agent.answer() == "5");
  CHECK(resumed.model->requests()[0].messages == whole.model->requests()[2].messages);
  Scripted done({});
  done.agent.load(resumed.agent.save());
  CHECK(done.agent.answer() == "5");
  CHECK_FALSE(done.agent.next());
}

TEST_CASE("a saved task that is none is a FormatError and changes nothing") {
  Scripted scripted({kAdd, kAnswer});
  scripted.agent.run("x");
  const json good = scripted.agent.save();
  const auto refused = [&](const auto& change) {
    json broken = good;
    change(broken);
    CHECK_THROWS_AS(scripted.agent.load(broken), FormatError);
    CHECK(scripted.agent.save() == good);
  };
  refused([](json& saved) { saved = 3; });
  refused([](json& saved) { saved["version"] = 2; });
  refused([](json& saved) { saved["more"] = 2; });
  refused([](json& saved) { saved["status"] = "tired"; });
  refused([](json& saved) { saved["status"] = "running"; });
  refused([](json& saved) { saved["steps"].erase(1); });
  refused([](json& saved) { saved["steps"][0]["number"] = 2; });
  refused([](json& saved) { saved.erase("task"); });
}

TEST_CASE("results are cut to the budget") {
  std::vector<Tool> long_winded = {{.name = "talk", .description = "", .run = [](const json&) {
                                      std::string text;
                                      for (int word = 0; word < 100000; ++word) text += "word ";
                                      return text;
                                    }}};
  const auto model =
      std::make_shared<ScriptedChatModel>(std::vector<std::string>{R"({"name": "talk"})", kAnswer});
  Agent agent(model, long_winded, {.observation_tokens = 20});
  agent.run("x");
  CHECK(model->count_tokens(agent.steps()[0].observations[0].text) < 32);
  CHECK(agent.steps()[0].observations[0].text.find("[cut: the first ") != std::string::npos);
}

TEST_CASE("old observations are left out when the context is full") {
  std::string words;
  for (int word = 0; word < 60; ++word) words += "word ";
  std::vector<Tool> talk = {
      {.name = "talk", .description = "", .run = [&](const json&) { return words; }}};
  const auto model = std::make_shared<ScriptedChatModel>(
      std::vector<std::string>{R"({"name": "talk"})", R"({"name": "talk"})", R"({"name": "talk"})",
                               kAnswer},
      400);
  Agent agent(model, talk, {.chat = {.generation = {.max_new_tokens = 50}}});
  CHECK(agent.run("x") == "5");
  const auto& last = model->requests()[3].messages;
  CHECK(last[3].content == "Observation of talk:\n[left out, to save space]");
  CHECK(last[7].content.find("word word") != std::string::npos);
}

TEST_CASE("what an agent cannot work with is an ArgumentError") {
  const auto model = std::make_shared<ScriptedChatModel>(std::vector<std::string>{});
  CHECK_THROWS_AS(Agent(nullptr, tools()), ArgumentError);
  CHECK_THROWS_AS(Agent(model, tools(), {.max_steps = 0}), ArgumentError);
  CHECK_THROWS_AS(Agent(model, tools(), {.max_seconds = -1}), ArgumentError);
  CHECK_THROWS_AS(Agent(model, tools(), {.observation_tokens = 0}), ArgumentError);
  std::vector<Tool> twice = tools();
  twice.push_back(twice[0]);
  CHECK_THROWS_AS(Agent(model, twice), ArgumentError);
}

TEST_CASE(
    "a model that runs from flash, however small and random, makes valid calls and comes to an "
    "end") {
  const support::TinyModel tiny({.context = 4096});
  const auto model = std::make_shared<text::FlashChatModel>(
      text::LanguageModel::open(tiny.path(), {.context = 4096, .n_threads = 1}),
      text::ChatFormat::parse(R"({
        "version": 1, "answer": "A:", "missing": {}, "roles": [
        {"role": "system", "first": "S:", "later": "S:", "suffix": "\n", "trim": false, "after": [""]},
        {"role": "user", "first": "U:", "later": "U:", "suffix": "\n", "trim": false, "after": ["system", "assistant"]},
        {"role": "assistant", "first": "A:", "later": "A:", "suffix": "\n", "trim": false, "after": ["user"]}]})"));
  Agent agent(model, tools(),
              {.max_steps = 3, .chat = {.generation = {.max_new_tokens = 160, .temperature = 1}}});
  CHECK(agent.run("What is 2 + 3?"));
  for (const Step& step : agent.steps()) {
    CAPTURE(step.output);
    CHECK_FALSE(std::holds_alternative<Malformed>(step.action));
    CHECK(json::accept(step.output));
  }
  CHECK(agent.status() == AgentStatus::answered);
}
