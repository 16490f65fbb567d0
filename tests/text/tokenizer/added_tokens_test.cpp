// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/tokenizer/added_tokens.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using flashlm::Token;
using namespace flashlm::text;
using Parts = std::vector<std::string>;

namespace {

Parts split(const AddedTokens& added, std::string_view text, bool parse_special = true) {
  Parts parts;
  added.split(
      text, TrustedBytes(parse_special), [](std::string_view piece) { return piece; },
      [&](std::string_view piece, bool) { parts.push_back("'" + std::string(piece) + "'"); },
      [&](Token token) { parts.push_back(std::to_string(token)); });
  return parts;
}

}  // namespace

TEST_CASE("the longest token is found at each place, from left to right") {
  const AddedTokens added(
      {{.id = 1, .content = "<a>"}, {.id = 2, .content = "<a><b>"}, {.id = 3, .content = "<b>"}});
  CHECK(split(added, "x<a><b><b>y") == Parts{"'x'", "2", "3", "'y'"});
  CHECK(split(added, "<a><c") == Parts{"1", "'<c'"});
  CHECK(split(added, "").empty());
  CHECK(split(AddedTokens(), "<a>") == Parts{"'<a>'"});
}

TEST_CASE("special tokens stay text where they may not be parsed") {
  const AddedTokens added(
      {{.id = 1, .content = "<s>", .special = true}, {.id = 2, .content = "<t>"}});
  CHECK(split(added, "a<s>b<t>", false) == Parts{"'a<s>b'", "2"});
}

TEST_CASE("special tokens are found only where every byte of them is trusted") {
  const AddedTokens added({{.id = 1, .content = "<s>", .special = true},
                           {.id = 2, .content = "<s><u>", .special = true},
                           {.id = 3, .content = "<t>"},
                           {.id = 4, .content = "<v>", .special = true, .normalized = true}});
  const std::string text = "<s><s><u><s><t><v><v>";
  const auto split_trusting = [&](std::vector<std::pair<std::size_t, std::size_t>> ranges) {
    TrustedBytes trusted(false);
    for (const auto& [begin, end] : ranges) trusted.add(begin, end);
    Parts parts;
    added.split(
        text, trusted, [](std::string_view piece) { return piece; },
        [&](std::string_view piece, bool) { parts.push_back("'" + std::string(piece) + "'"); },
        [&](Token token) { parts.push_back(std::to_string(token)); });
    return parts;
  };
  CHECK(split_trusting({}) == Parts{"'<s><s><u><s>'", "3", "'<v><v>'"});
  CHECK(split_trusting({{0, 21}}) == Parts{"1", "2", "1", "3", "4", "4"});
  CHECK(split_trusting({{0, 3}, {9, 12}, {18, 21}}) ==
        Parts{"1", "'<s><u>'", "1", "3", "'<v>'", "4"});
  // The longer token would end outside, the shorter one does not.
  CHECK(split_trusting({{3, 6}}) == Parts{"'<s>'", "1", "'<u><s>'", "3", "'<v><v>'"});
  // Two ranges that touch are one.
  CHECK(split_trusting({{3, 5}, {5, 5}, {5, 9}}) == Parts{"'<s>'", "2", "'<s>'", "3", "'<v><v>'"});
  CHECK(split_trusting({{1, 3}, {4, 8}}) == Parts{"'<s><s><u><s>'", "3", "'<v><v>'"});
}

TEST_CASE("tokens swallow the spaces beside them when they say so") {
  const AddedTokens added(
      {{.id = 1, .content = "<l>", .lstrip = true}, {.id = 2, .content = "<r>", .rstrip = true}});
  CHECK(split(added, "a \xe3\x80\x80<l> b") == Parts{"'a'", "1", "' b'"});
  CHECK(split(added, "a <r> \n b") == Parts{"'a '", "2", "'b'"});
  CHECK(split(added, "<r>  <l>") == Parts{"2", "1"});
}

TEST_CASE("white space that a token has swallowed makes no token of its own that swallows it too") {
  const AddedTokens added(
      {{.id = 1, .content = "<r>", .rstrip = true}, {.id = 2, .content = " ", .lstrip = true}});
  CHECK(split(added, "<r> ") == Parts{"1"});
  CHECK(split(added, "<r>  a b") == Parts{"1", "'a'", "2", "'b'"});
  CHECK(split(added, "<r> \n \na") == Parts{"1", "'a'"});
  CHECK(split(added, "a  b") == Parts{"'a'", "2", "2", "'b'"});
  // One that strips nothing is found again in what was swallowed, as in `tokenizers`.
  const AddedTokens plain(
      {{.id = 1, .content = "<r>", .rstrip = true}, {.id = 2, .content = "\n"}});
  CHECK(split(plain, "<r> \na") == Parts{"1", "2", "'a'"});
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
  const AddedTokens added(
      {{.id = 1, .content = "<a>", .normalized = true}, {.id = 2, .content = "a"}});
  CHECK(split(added, "<a>") == Parts{"'<'", "2", "'>'"});
}

TEST_CASE("normal forms of tokens are found in the normal form of a part") {
  const auto upper = [](std::string_view text) {
    std::string result;
    for (const char c : text) result += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    return result;
  };
  const AddedTokens added({{.id = 1, .content = "<a>", .normalized = true},
                           {.id = 2, .content = "<b>"},
                           {.id = 3, .content = "<c>", .special = true, .normalized = true}},
                          upper);
  const auto parts_of = [&](std::string_view text, const TrustedBytes& trusted) {
    Parts parts;
    added.split(
        text, trusted, upper,
        [&](std::string_view piece, bool begins) {
          parts.push_back((begins ? "^'" : "'") + std::string(piece) + "'");
        },
        [&](Token token) { parts.push_back(std::to_string(token)); });
    return parts;
  };
  CHECK(parts_of("x<A>y<b>z<B>", TrustedBytes()) == Parts{"^'X'", "1", "'Y'", "2", "'Z<B>'"});
  CHECK(parts_of("<a>x", TrustedBytes()) == Parts{"1", "'X'"});
  CHECK(parts_of("x<c>", TrustedBytes()) == Parts{"^'X'", "3"});
  CHECK(parts_of("x<c>", TrustedBytes(false)) == Parts{"^'X<C>'"});
  TrustedBytes half(false);
  half.add(1, 4);  // a part that is changed is trusted as a whole or not at all
  CHECK(parts_of("x<c>", half) == Parts{"^'X<C>'"});
}
