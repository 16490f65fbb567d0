// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/tokenizer/unigram.hpp"

#include <string>
#include <vector>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using text::Unigram;
using Tokens = std::vector<Token>;

namespace {

Unigram parsed(const std::string& json) {
  const storage::Json document = storage::parse_foreign_json(json, "tokenizer", "test");
  return Unigram::parse(storage::JsonField(document, "tokenizer", "test"), {"<s>"});
}

Tokens ids(const Unigram& model, const std::string& word) {
  Tokens tokens;
  model.encode(word, tokens);
  return tokens;
}

}  // namespace

TEST_CASE("the pieces with the best sum of scores are found") {
  const Unigram model = parsed(
      R"({"unk_id": 0, "vocab": [["<unk>", 0], ["<s>", 0], ["a", -2], ["b", -2], ["ab", -3],
          ["abc", -9], ["c", -1]]})");
  CHECK(ids(model, "ab") == Tokens{4});
  CHECK(ids(model, "abc") == Tokens{4, 6});  // -4 is better than -9
  CHECK(ids(model, "ba") == Tokens{3, 2});
  CHECK(ids(model, "").empty());
  CHECK(ids(model, "axyb") == Tokens{2, 0, 3});  // a run of unknown characters is one
  CHECK(model.id("abc") == Token{5});
  CHECK_FALSE(model.id("xyz"));
}

TEST_CASE("text makes no control token") {
  const Unigram model = parsed(R"({"unk_id": 0, "vocab": [["<unk>", 0], ["<s>", 0], ["s", -1]]})");
  CHECK(ids(model, "<s>") == Tokens{0, 2, 0});
}

TEST_CASE("scores that are not numbers are refused, and an unknown token that is none") {
  CHECK_THROWS_AS(parsed(R"({"vocab": [["a", "b"]]})"), FormatError);
  CHECK_THROWS_AS(parsed(R"({"vocab": [["a"]]})"), FormatError);
  CHECK_THROWS_AS(parsed(R"({"vocab": []})"), FormatError);
  CHECK_THROWS_AS(parsed(R"({"unk_id": 1, "vocab": [["a", -1]]})"), FormatError);
}
