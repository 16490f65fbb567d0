// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/schema/json_schema_context.hpp"

#include "support/catch.hpp"

using namespace flashlm::text;
using Json = nlohmann::ordered_json;

TEST_CASE("the same parts have one rule, which waits to be built once") {
  const Json json = Json::parse(R"({"$defs": {"a": {"enum": [1, "x"]}, "b": {"type": "string"}}})");
  GrammarRules rules;
  JsonSchemaContext context(json, rules);
  const auto a = context.view.resolve("#/$defs/a", context.view.root());
  const auto b = context.view.resolve("#/$defs/b", context.view.root());
  CHECK(context.rule_of(JsonSchemaParts{{a, 0, {}}, {b, 0, {}}}) ==
        context.rule_of(JsonSchemaParts{{b, 0, {}}, {a, 0, {}}}));
  CHECK(context.rule_of(a) != context.rule_of(b));
  int n_waiting = 0;
  while (context.next()) ++n_waiting;
  CHECK(n_waiting == 3);
}

TEST_CASE("values that are listed are those that all parts allow") {
  const Json json = Json::parse(
      R"({"$defs": {"a": {"enum": [1, "x", "xyz"]}, "b": {"type": "string", "maxLength": 2}}})");
  GrammarRules rules;
  JsonSchemaContext context(json, rules);
  const auto a = context.view.resolve("#/$defs/a", context.view.root());
  const auto b = context.view.resolve("#/$defs/b", context.view.root());
  const auto listed = context.listed(JsonSchemaParts{{a, 0, {}}, {b, 0, {}}});
  REQUIRE(listed);
  REQUIRE(listed->size() == 1);
  CHECK(*listed->front().json == "x");
  CHECK_FALSE(context.listed(JsonSchemaParts{{b, 0, {}}}));
}
