// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/added_tokens.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

using flashlm::Token;
using namespace flashlm::text;
using Parts = std::vector<std::string>;

namespace {

Parts split(const AddedTokens& added, std::string_view text, bool parse_special = true) {
  Parts parts;
  added.split(
      text, parse_special, [&](std::string_view piece) { parts.push_back("'" + std::string(piece) + "'"); },
      [&](Token token) { parts.push_back(std::to_string(token)); });
  return parts;
}

}  // namespace

TEST_CASE("the longest token is found at each place, from left to right") {
  const AddedTokens added({{.id = 1, .content = "<a>"}, {.id = 2, .content = "<a><b>"}, {.id = 3, .content = "<b>"}});
  CHECK(split(added, "x<a><b><b>y") == Parts{"'x'", "2", "3", "'y'"});
  CHECK(split(added, "<a><c") == Parts{"1", "'<c'"});
  CHECK(split(added, "").empty());
  CHECK(split(AddedTokens(), "<a>") == Parts{"'<a>'"});
}

TEST_CASE("special tokens stay text where they may not be parsed") {
  const AddedTokens added({{.id = 1, .content = "<s>", .special = true}, {.id = 2, .content = "<t>"}});
  CHECK(split(added, "a<s>b<t>", false) == Parts{"'a<s>b'", "2"});
}

TEST_CASE("tokens swallow the spaces beside them when they say so") {
  const AddedTokens added({{.id = 1, .content = "<l>", .lstrip = true}, {.id = 2, .content = "<r>", .rstrip = true}});
  CHECK(split(added, "a \xe3\x80\x80<l> b") == Parts{"'a'", "1", "' b'"});
  CHECK(split(added, "a <r> \n b") == Parts{"'a '", "2", "'b'"});
  CHECK(split(added, "<r>  <l>") == Parts{"2", "1"});
}

TEST_CASE("a single word is no part of a word") {
  const AddedTokens added({{.id = 1, .content = "cat", .single_word = true}});
  CHECK(split(added, "cat") == Parts{"1"});
  CHECK(split(added, "(cat)") == Parts{"'('", "1", "')'"});
  CHECK(split(added, "cats") == Parts{"'cats'"});
  CHECK(split(added,
              "\xc3\xa9"
              "cat") == Parts{"'\xc3\xa9"
                              "cat'"});
}

TEST_CASE("normalized tokens are found in what the others leave") {
  const AddedTokens added({{.id = 1, .content = "<a>", .normalized = true}, {.id = 2, .content = "a"}});
  CHECK(split(added, "<a>") == Parts{"'<'", "2", "'>'"});
}
