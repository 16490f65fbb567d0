// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/format/json_value.hpp"

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "flashlm/storage/format/json.hpp"
#include "support/catch.hpp"

using namespace flashlm::storage;

namespace {

Json read(const std::string& text) { return parse_foreign_json(text, "test", "x.json"); }

}  // namespace

TEST_CASE("a document is written as it was read, in its order, in both layouts") {
  for (const std::string text :
       {R"({})", R"({"a":[]})",
        R"({"z":1,"a":{"y":[{},[],"x"],"b":null},"m":[true,false,-5,18446744073709551615]})",
        R"({"a":1.50,"b":-0.0,"c":1e5,"d":"Ġ \u0000\u001f\b\t\n\f\r\"\\\/ 😀 \ud83d\ude00"})"}) {
    const Json json = read(text);
    const auto theirs = nlohmann::ordered_json::parse(text);
    INFO(text);
    CHECK(nlohmann::ordered_json::parse(json.dump()) == theirs);
    if (text.find('.') != std::string::npos) continue;  // they write numbers in their own way
    CHECK(json.dump() == theirs.dump());
    CHECK(json.dump(2) == theirs.dump(2));
    CHECK(json.root().dump(-1, true) == theirs.dump(-1, ' ', true));
  }
  const std::string text = R"({"d":"Ġ é \u0001\u007f\u2028 \ud83d\ude00 \""})";
  CHECK(read(text).root().dump(-1, true) ==
        nlohmann::ordered_json::parse(text).dump(-1, ' ', true));
  CHECK(read(text).dump() == nlohmann::ordered_json::parse(text).dump());
}

TEST_CASE("values are found, and what is not there is told from a null") {
  const Json json = read(R"({"a": null, "b": [1, [2, 3], 4.5], "c": "x", "d": true})");
  const JsonValue root = json.root();
  CHECK(root.size() == 4);
  CHECK(root.find("a").is_null());
  CHECK_FALSE(root.find("a").is_absent());
  CHECK(root.find("e").is_absent());
  CHECK(root.find("e").is_null());
  CHECK(root.find("c").is("x"));
  CHECK_FALSE(root.find("d").is("x"));
  CHECK(root.find("d").flag());
  const JsonValue array = root.find("b");
  CHECK(array.first().count() == 1);
  CHECK(array.first().next().size() == 2);
  CHECK(array.first().next().next().number() == 4.5);
  CHECK(root.first().next().key() == "b");
  CHECK(JsonValue().size() == 0);
  CHECK(Json().root().is_null());
  CHECK(Json::object().root().find("a").is_absent());
}

TEST_CASE("of members with equal keys the last one is kept, wherever it stands") {
  const std::string text = R"({"a":1,"b":2,"a":3,"a":{"c":1,"c":2},"d":4,"b":5})";
  const Json json = read(text);
  CHECK(json.dump() == R"({"a":{"c":2},"d":4,"b":5})");
  CHECK(json.root().size() == 3);
  CHECK(Json(json.root()) == json);
  CHECK(read(R"({"a":[1],"a":2})").dump() == R"({"a":2})");
}

TEST_CASE("a document is put together and copied") {
  Json json;
  json.open(JsonKind::object);
  json.key("text").add("moon");
  json.key("flag").add(true);
  json.key("count").add(std::size_t{7});
  json.key("below").add(-7);
  json.key("nothing").add(nullptr);
  json.key("list").open(JsonKind::array);
  json.add(read(R"({"real": 2.50})"));
  json.close();
  json.close();
  CHECK(
      json.dump() ==
      R"({"text":"moon","flag":true,"count":7,"below":-7,"nothing":null,"list":[{"real":2.50}]})");
  CHECK(Json(json.root()).dump() == json.dump());
  CHECK_FALSE(json == Json::object());
}

TEST_CASE("a text that is no UTF-8 is shown, not followed") {
  for (const std::string text : {"\xff", "x\xe2\x82", "\xf0", "\x80"}) {
    Json json;
    json.add(text);
    CHECK(json.root().dump(-1, true).size() < 40);
  }
}
