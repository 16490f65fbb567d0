// SPDX-License-Identifier: Apache-2.0
#include "flashlm/agent/observation_budget.hpp"

#include <string>

#include "flashlm/text/chat/scripted_chat_model.hpp"
#include "flashlm/text/unicode/utf8.hpp"
#include "support/catch.hpp"

using flashlm::agent::cut_to_tokens;
using flashlm::text::ScriptedChatModel;

TEST_CASE("a text within the budget stays as it is") {
  const ScriptedChatModel model({});
  CHECK(cut_to_tokens("one two three", 3, model) == "one two three");
  CHECK(cut_to_tokens("", 3, model).empty());
}

TEST_CASE("a longer text is cut, and says so") {
  const ScriptedChatModel model({});
  std::string text;
  for (int word = 0; word < 1000; ++word) text += "word ";
  const std::string cut = cut_to_tokens(text, 10, model);
  CHECK(cut.find("word word") == 0);
  const std::size_t note = cut.find("\n[cut: the first ");
  REQUIRE(note != std::string::npos);
  CHECK(cut.ends_with(" of 5000 bytes]"));
  CHECK(model.count_tokens(cut.substr(0, note)) <= 10);
  CHECK(model.count_tokens(cut.substr(0, note)) >= 8);
}

TEST_CASE("megabytes are cut before they are counted, between characters") {
  const ScriptedChatModel model({});
  std::string text;
  for (int index = 0; index < 1000000; ++index) text += "\xf0\x9f\x8c\x8a";
  const std::string cut = cut_to_tokens(text, 5, model);
  CHECK(cut.size() < 1000);
  CHECK(flashlm::text::is_utf8(cut));
  CHECK(cut.ends_with(" of 4000000 bytes]"));
}

TEST_CASE("bytes that are no text become U+FFFD") {
  const ScriptedChatModel model({});
  CHECK(cut_to_tokens("a\xff", 3, model) == "a\xef\xbf\xbd");
}
