// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/json.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using Catch::Matchers::ContainsSubstring;

namespace {
nlohmann::json parse(const std::string& text) { return parse_json(text, "test", "x.json"); }
}  // namespace

TEST_CASE("an object is parsed") {
  CHECK(parse(R"({"a": 1, "b": {"a": [1, {"a": 2}]}, "c": {"a": 3}})")["b"]["a"][1]["a"] == 2);
}

TEST_CASE("what is no JSON object is a FormatError that names the file") {
  for (const std::string text : {"", "{", "[1]", "1", "null", "{\"a\":1}}", "{\"a\":1,}", "{'a':1}", "{\"a\":\"\xff\"}",
                                 "{\"a\":1} x", "{\"a\":1e999}", "\xef\xbb\xbf"}) {
    INFO(text);
    CHECK_THROWS_AS(parse(text), FormatError);
    CHECK_THROWS_WITH(parse(text), ContainsSubstring("[test]") && ContainsSubstring("x.json"));
  }
}

TEST_CASE("a key that comes twice in one object is a FormatError") {
  CHECK_THROWS_WITH(parse(R"({"a": 1, "a": 1})"), ContainsSubstring("'a'"));
  CHECK_THROWS_AS(parse(R"({"x": [{"a": 1, "b": 2, "a": 3}]})"), FormatError);
  CHECK_THROWS_AS(parse(R"({"a": 1, "\u0061": 2})"), FormatError);
  CHECK_NOTHROW(parse(R"({"x": {"a": 1}, "y": {"a": 1}, "a": 2})"));
}

TEST_CASE("a bottomless nesting is a FormatError") {
  CHECK_NOTHROW(parse("{\"a\":" + std::string(50, '[') + std::string(50, ']') + "}"));
  CHECK_THROWS_AS(parse("{\"a\":" + std::string(100'000, '[')), FormatError);
  CHECK_THROWS_AS(parse("{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}"), FormatError);
}

TEST_CASE("fields of the right kind are read") {
  const auto json = parse(R"({"t": "text", "e": "", "y": true, "n": 18446744073709551615, "a": [1, 2]})");
  const std::string file = "x.json";
  const JsonFields fields(json, "test", "", file);
  CHECK(fields.text("t") == "text");
  CHECK(fields.text("e").empty());
  CHECK(fields.truth("y"));
  CHECK(fields.count("n") == ~std::uint64_t{0});
  CHECK(fields.counts("a") == std::vector<std::uint64_t>{1, 2});
  CHECK(fields.has("a"));
  CHECK_FALSE(fields.has("z"));
}

TEST_CASE("fields of the wrong kind are FormatErrors that name the place") {
  const auto json =
      parse(R"({"n": -1, "f": 1.0, "big": 18446744073709551616, "s": "", "a": [1, -2], "o": {}, "t": 1})");
  const std::string file = "x.json";
  const JsonFields fields(json, "test", "files[3].", file);
  for (const char* key : {"n", "f", "big", "s", "a", "o", "none"}) {
    INFO(key);
    CHECK_THROWS_AS(fields.count(key), FormatError);
    CHECK_THROWS_WITH(fields.count(key), ContainsSubstring(std::string("files[3].") + key));
  }
  CHECK_THROWS_AS(fields.word("s"), FormatError);
  CHECK_THROWS_AS(fields.text("t"), FormatError);
  CHECK_THROWS_AS(fields.truth("t"), FormatError);
  CHECK_THROWS_AS(fields.array("o"), FormatError);
  CHECK_THROWS_AS(fields.counts("a"), FormatError);
  CHECK_THROWS_AS(fields.words(), FormatError);
  CHECK_THROWS_AS(JsonFields(json.at("a"), "test", "", file), FormatError);
}

TEST_CASE("an unknown field is a FormatError that names it") {
  const auto json = parse(R"({"a": 1, "bb": 2})");
  const std::string file = "x.json";
  const JsonFields fields(json, "test", "", file);
  CHECK_NOTHROW(fields.only({"a", "bb", "c"}));
  CHECK_THROWS_WITH(fields.only({"a", "b"}), ContainsSubstring("bb is an unknown field"));
}
