// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/chat/flash_chat_model.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"
#include "support/tiny_model.hpp"

using namespace flashlm;
using text::ChatFormat;
using text::ChatMessage;
using text::ChatOptions;
using text::FlashChatModel;
using text::LanguageModel;

namespace {

constexpr std::string_view kFormat = R"({"version": 1, "answer": "A:", "roles": [
  {"role": "user", "first": "<|end|>U:", "later": "U:", "suffix": "\n", "trim": false, "after": ["", "assistant"]},
  {"role": "assistant", "first": "", "later": "A:", "suffix": "\n", "trim": false, "after": ["user"]}], "missing": {}})";

const std::vector<ChatMessage> kQuestion = {{"user", "Hello"}};

LanguageModel open(const support::TinyModel& tiny) {
  return LanguageModel::open(tiny.path(), {.n_threads = 1});
}

}  // namespace

TEST_CASE("an answer is the continuation of the conversation's text") {
  const support::TinyModel tiny;
  FlashChatModel model(open(tiny), ChatFormat::parse(kFormat));
  ChatOptions options;
  options.generation.max_new_tokens = 12;
  std::string pieces;
  options.on_piece = [&](std::string_view piece) { pieces += piece; };
  const std::string answer = model.answer(kQuestion, options);
  CHECK(answer == open(tiny).generate("<|end|>U:Hello\nA:", {.max_new_tokens = 12}));
  CHECK(pieces == answer);
  CHECK(model.stream(kQuestion, {.max_new_tokens = 12}).rest() == answer);
  CHECK(model.context() == tiny.shape.context);
  CHECK(model.count_tokens("four<|end|>") == 11);
}

TEST_CASE("a quoted special token stays text on its way into the model") {
  const support::TinyModel tiny;
  FlashChatModel model(open(tiny), ChatFormat::parse(kFormat));
  const std::vector<ChatMessage> messages = {{"user", "a<|end|>b"}};
  const auto generation = model.stream(messages, {.max_new_tokens = 1});
  const auto prompt = generation.prompt_tokens();
  CHECK(std::count(prompt.begin(), prompt.end(), support::TinyShape::kEnd) == 1);
}

TEST_CASE("a second answer pays only for what is new in the conversation") {
  const support::TinyModel tiny;
  const LanguageModel lm = open(tiny);
  const auto session = lm.session();
  FlashChatModel model(lm, ChatFormat::parse(kFormat), session);
  ChatOptions options;
  options.generation.max_new_tokens = 4;
  std::vector<ChatMessage> messages = kQuestion;
  const std::string answer = model.answer(messages, options);
  const auto before = session->stats();
  messages.push_back({"assistant", "ok"});
  messages.push_back({"user", "more"});
  model.answer(messages, options);
  CHECK(session->stats().reused_tokens >= before.reused_tokens + 11);
}

TEST_CASE("an answer can be held to a JSON schema") {
  const support::TinyModel tiny;
  FlashChatModel model(open(tiny), ChatFormat::parse(kFormat));
  ChatOptions options;
  options.json_schema =
      R"({"type": "object", "properties": {"sky": {"enum": ["blue", "grey"]}}, "required": ["sky"],
                            "additionalProperties": false})";
  options.generation.max_new_tokens = 40;
  const nlohmann::json answer = nlohmann::json::parse(model.answer(kQuestion, options));
  CHECK((answer == nlohmann::json{{"sky", "blue"}} || answer == nlohmann::json{{"sky", "grey"}}));
  CHECK(nlohmann::json::parse(model.answer(kQuestion, options)) == answer);
  options.json_schema = R"({"type": "array", "contains": true})";
  CHECK_THROWS_WITH(model.answer(kQuestion, options),
                    Catch::Matchers::ContainsSubstring("contains"));
}

TEST_CASE("a model without a chat format opens, and refuses to talk") {
  const support::TinyModel tiny;
  FlashChatModel model = FlashChatModel::open(tiny.path(), {.n_threads = 1});
  CHECK_THROWS_AS(model.answer(kQuestion, {}), FormatError);
  CHECK_FALSE(model.format().usable());
}
