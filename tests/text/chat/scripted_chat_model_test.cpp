// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/chat/scripted_chat_model.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"

using flashlm::text::ChatMessage;
using flashlm::text::ChatOptions;
using flashlm::text::ScriptedChatModel;

namespace {

const std::vector<ChatMessage> kQuestion = {{"system", "Be brief."}, {"user", "Hello"}};

}  // namespace

TEST_CASE("a scripted model gives its answers in order and keeps the questions") {
  ScriptedChatModel model({"one", "two"}, 77);
  CHECK(model.answers_left() == 2);
  CHECK(model.answer(kQuestion, {}) == "one");
  ChatOptions options;
  options.generation.max_new_tokens = 5;
  CHECK(model.answer(std::span(kQuestion).first(1), options) == "two");
  CHECK(model.answers_left() == 0);
  REQUIRE(model.requests().size() == 2);
  CHECK(model.requests()[0].messages == kQuestion);
  CHECK(model.requests()[1].messages.size() == 1);
  CHECK(model.requests()[1].generation.max_new_tokens == 5);
  CHECK(model.context() == 77);
}

TEST_CASE("a scripted model without an answer left throws") {
  ScriptedChatModel model({});
  CHECK_THROWS_AS(model.answer(kQuestion, {}), flashlm::Error);
}

TEST_CASE("a scripted answer ends before the first stop text, and its pieces are the answer") {
  ScriptedChatModel model({"Think.\nObservation: 7", "Observation of birds", ""});
  std::string pieces;
  ChatOptions options;
  options.generation.stop = {"Observation:"};
  options.on_piece = [&](std::string_view piece) { pieces += piece; };
  CHECK(model.answer(kQuestion, options) == "Think.\n");
  CHECK(pieces == "Think.\n");
  CHECK(model.answer(kQuestion, options) == "Observation of birds");
  CHECK(model.answer(kQuestion, options).empty());
}

TEST_CASE("a scripted model counts words") {
  const ScriptedChatModel model({});
  CHECK(model.count_tokens("") == 0);
  CHECK(model.count_tokens(" \n") == 0);
  CHECK(model.count_tokens("one two\n three\t") == 3);
}
