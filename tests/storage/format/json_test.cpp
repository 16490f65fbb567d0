// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/format/json.hpp"

#include <string>
#include <vector>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using Catch::Matchers::ContainsSubstring;

namespace {
Json parse(const std::string& text) { return parse_json(text, "test", "x.json"); }
}  // namespace

TEST_CASE("an object is parsed") {
  const Json json = parse(R"({"a": 1, "b": {"a": [1, {"a": 2}]}, "c": {"a": 3}})");
  CHECK(JsonField(json, "test", "x.json")["b"]["a"].at(1)["a"].count() == 2);
}

TEST_CASE("what is no JSON object is a FormatError that names the file") {
  for (const std::string text :
       {"", "{", "[1]", "1", "null", "{\"a\":1}}", "{\"a\":1,}", "{'a':1}", "{\"a\":\"\xff\"}",
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
  CHECK_THROWS_AS(parse("{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}"),
                  FormatError);
}

TEST_CASE(
    "a file of another program may repeat keys and nest as deeply as it likes, but is an object") {
  const auto foreign = [](const std::string& text) {
    return parse_foreign_json(text, "test", "x.json");
  };
  CHECK(foreign(R"({"a": 1, "b": 3, "a": 2})").dump() == R"({"b":3,"a":2})");
  CHECK_NOTHROW(foreign("{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}"));
  for (const std::string text :
       {"", "{", "[1]", "1", "null", "{\"a\":1,}", "{\"a\":\"\xff\"}", "{\"a\":1} x", "[1e999]"}) {
    INFO(text);
    CHECK_THROWS_AS(foreign(text), FormatError);
    CHECK_THROWS_WITH(foreign(text), ContainsSubstring("[test]") && ContainsSubstring("x.json"));
  }
  CHECK_THROWS_AS(foreign(std::string(300'000, '[')), FormatError);
}

TEST_CASE("fields of the right kind are read") {
  const auto json =
      parse(R"({"t": "text", "e": "", "y": true, "n": 18446744073709551615, "a": [1, 2], "f": 1.5,
                              "o": {"k": "v", "j": "w"}, "z": null})");
  const JsonField fields(json, "test", "x.json");
  CHECK(fields["t"].string() == "text");
  CHECK(fields["t"].word() == "text");
  CHECK(fields["e"].string().empty());
  CHECK(fields["y"].flag());
  CHECK(fields["n"].count() == ~std::uint64_t{0});
  CHECK(fields["a"].counts() == std::vector<std::uint64_t>{1, 2});
  CHECK(fields["a"].array_size() == 2);
  CHECK(fields["a"].at(1).count(2, 2) == 2);
  CHECK(fields["f"].positive() == 1.5);
  CHECK(fields["n"].positive() > 1e19);
  CHECK(fields.has("a"));
  CHECK(fields.has("z"));
  CHECK_FALSE(fields.has("missing"));
  std::string seen;
  fields["o"].members(
      [&](const std::string& key, const JsonField& value) { seen += key + value.string(); });
  CHECK(seen == "kvjw");
}

TEST_CASE("a null stands for what is absent, and has a fallback") {
  const auto json = parse(R"({"a": {"b": [1, "two", true]}, "z": null})");
  const JsonField fields(json, "test", "x.json");
  CHECK(fields["a"]["b"].at(2).flag(false));
  for (const char* key : {"z", "missing"}) {
    CHECK(fields[key].is_null());
    CHECK(fields[key].flag(true));
    CHECK(fields[key].string("other") == "other");
    CHECK(fields[key].positive(2.5) == 2.5);
    CHECK_THROWS_AS(fields[key]["c"], FormatError);
  }
  CHECK_THROWS_AS(fields["a"].flag(true), FormatError);
  CHECK_THROWS_AS(fields["a"].string("other"), FormatError);
  CHECK_THROWS_AS(fields["a"].positive(2.5), FormatError);
}

TEST_CASE("fields of the wrong kind are FormatErrors that name the place") {
  const auto json = parse(
      R"({"n": -1, "f": 1.0, "big": 18446744073709551616, "s": "", "a": [1, -2], "o": {}, "t": 1, "z": null})");
  const JsonField fields(json, "test", "x.json", "files[3]");
  for (const char* key : {"n", "f", "big", "s", "a", "o", "z", "none"}) {
    INFO(key);
    CHECK_THROWS_AS(fields[key].count(), FormatError);
    CHECK_THROWS_WITH(fields[key].count(), ContainsSubstring(std::string("files[3].") + key));
  }
  CHECK_THROWS_AS(fields["t"].count(2), FormatError);
  CHECK_THROWS_AS(fields["t"].count(0, 0), FormatError);
  CHECK_THROWS_AS(fields["s"].word(), FormatError);
  CHECK_THROWS_AS(fields["t"].string(), FormatError);
  CHECK_THROWS_AS(fields["t"].flag(), FormatError);
  CHECK_THROWS_AS(fields["n"].positive(), FormatError);
  CHECK_THROWS_AS(fields["s"].positive(), FormatError);
  CHECK_THROWS_AS(fields["o"].array_size(), FormatError);
  CHECK_THROWS_AS(fields["o"].elements([](const JsonField&) {}), FormatError);
  CHECK_THROWS_AS(fields["a"].counts(), FormatError);
  CHECK_THROWS_AS(fields["a"].string(), FormatError);
  CHECK_THROWS_AS(fields["a"]["c"], FormatError);
  CHECK_THROWS_AS(fields["a"].members([](const std::string&, const JsonField&) {}), FormatError);
}

TEST_CASE("an error names the module, the field, what was expected, what is there, and the file") {
  const auto json = parse(R"({"a": {"b": [1.5, {"c": null}]}})");
  const JsonField fields(json, "test", "x.json");
  const auto message = [](const JsonField& field, const char* hint) -> std::string {
    try {
      field.wrong("rain", hint);
    } catch (const FormatError& error) {
      return error.what();
    }
  };
  CHECK(message(fields["a"]["b"].at(0), "") == "[test] a.b[0]: expected rain, got 1.5 (x.json)");
  CHECK(message(fields["a"]["b"].at(1), "Wait.") ==
        "[test] a.b[1]: expected rain, got an object (x.json). Wait.");
  CHECK(message(fields["a"]["b"].at(1)["c"], "") ==
        "[test] a.b[1].c: expected rain, got null (x.json)");
  CHECK(message(fields["a"]["d"], "") == "[test] a.d is missing, expected rain (x.json)");
  CHECK(message(fields, "") == "[test] document: expected rain, got an object (x.json)");
}

TEST_CASE("an error about a long or deeply nested value does not print it whole") {
  const Json deep = parse_foreign_json(
      "{\"a\":" + std::string(200'000, '[') + std::string(200'000, ']') + "}", "test", "x.json");
  CHECK_THROWS_AS(JsonField(deep, "test", "x.json")["a"].string(), FormatError);
  Json text;
  text.add(std::string(100'000, 'x') + "\xff");
  try {
    (void)JsonField(text, "test", "x.json", "a").count();
    FAIL("nothing was thrown");
  } catch (const FormatError& error) {
    CHECK(std::string(error.what()).size() < 400);
  }
}

TEST_CASE("an unknown field is a FormatError that names it") {
  const auto json = parse(R"({"a": 1, "bb": 2})");
  const JsonField fields(json, "test", "x.json");
  CHECK_NOTHROW(fields.only({"a", "bb", "c"}));
  CHECK_THROWS_WITH(fields.only({"a", "b"}), ContainsSubstring("bb: unknown field"));
}
