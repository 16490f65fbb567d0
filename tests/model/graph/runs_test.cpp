// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/graph/runs.hpp"

#include <nlohmann/json.hpp>
#include <string>

#include "flashlm/base/error.hpp"
#include "flashlm/model/graph/read_spec.hpp"
#include "support/catch.hpp"
#include "support/tiny_model.hpp"

using namespace flashlm;
using namespace flashlm::model;
using nlohmann::json;

namespace {

const std::string kParts = "/stacks/0/layer_kinds/0/parts/";

/// What is said of a graph with another value at `path`; the graph itself can be read.
std::string refusal(const std::string& path, const json& value) {
  json graph = support::tiny_graph({});
  graph[json::json_pointer(path)] = value;
  const ModelSpec spec = parse_spec(graph.dump(), "a/flashlm.json");
  try {
    require_runs(spec, "a/flashlm.json");
    return "none";
  } catch (const FormatError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("what the tests' models have runs") {
  for (support::TinyShape shape : {support::TinyShape(), support::TinyShape::opt()}) {
    CHECK_NOTHROW(require_runs(support::tiny_spec(shape), "x"));
    if (shape.is_opt()) continue;
    shape.qkv_bias = shape.qk_norm = shape.sandwich = shape.parallel = true;
    shape.rope_dims = 2;
    CHECK_NOTHROW(require_runs(support::tiny_spec(shape), "x"));
  }
  CHECK(refusal("/embedding/scale", 2) == "none");
  CHECK(refusal("/head/scale", 2) == "none");
  CHECK(refusal("/head/softcap", 30) == "none");
  CHECK(refusal(kParts + "0/attention/window", 16u) == "none");
  CHECK(refusal(kParts + "0/attention/softcap", 50) == "none");
  CHECK(refusal(kParts + "1/ffn/activation", "gelu_tanh") == "none");
  CHECK(refusal(kParts + "1/ffn/gated", false) == "none");
  CHECK(refusal(kParts + "0/residual_scale", 0.5) == "none");
}

TEST_CASE("a feature that nothing computes is refused by its field, with what is computed") {
  const auto check = [](const std::string& path, const json& value, const std::string& field) {
    const std::string message = refusal(path, value);
    INFO(message);
    CHECK_THAT(message, Catch::Matchers::StartsWith("[graph] ") &&
                            Catch::Matchers::Contains(field) &&
                            Catch::Matchers::Contains("a/flashlm.json"));
  };
  const json norm = support::tiny_norm({});
  check(kParts + "0/attention/sinks", true, "layer_kinds[0].parts[0].attention.sinks");
  check(kParts + "0/attention/v_norm", {{"norm", norm}, {"over", "head"}}, "attention.v_norm");
  check(kParts + "0/attention/clip", 8, "attention.clip");
  check(kParts + "0/attention/output_gate", "separate", "attention.output_gate");
  check(kParts + "0/attention/value", "key", "attention.value: expected own");
  check(kParts + "0/attention/shares_kv_of", 0, "attention.shares_kv_of");
  check(kParts + "0/attention/value_dim", 8, "attention.value_dim: expected head_dim, 6, got 8");
  check(kParts + "0/before/weight", false, "before.weight");
  check(kParts + "1/ffn",
        {{"hidden", 150u},
         {"gated", true},
         {"activation", "clamped_swiglu"},
         {"alpha", 1.7},
         {"limit", 7u}},
        "ffn.activation: expected silu, gelu_erf");
  check(kParts + "1/ffn/output_gate", true, "ffn.output_gate");
  check(kParts + "1/reads", "layer_input", "reads: expected residual");
  check(kParts + "1", {{"does", "delta"}, {"group", 1u}},
        "does: expected attention or ffn, got delta");
  check("/embedding/norm", norm, "embedding.norm");
}

TEST_CASE("layers of other sizes are refused") {
  json graph = support::tiny_graph({});
  json& kinds = graph["stacks"][0]["layer_kinds"];
  kinds.push_back(kinds[0]);
  graph["stacks"][0]["layers"] = {0, 1, 0};
  CHECK_NOTHROW(require_runs(parse_spec(graph.dump(), "x"), "x"));
  kinds[1]["parts"][0]["attention"]["kv_heads"] = 4;
  CHECK_THROWS_WITH(require_runs(parse_spec(graph.dump(), "x"), "x"),
                    Catch::Matchers::Contains("layer_kinds[1].attention"));
  kinds[1] = kinds[0];
  kinds[1]["parts"].erase(1);
  CHECK_THROWS_WITH(require_runs(parse_spec(graph.dump(), "x"), "x"),
                    Catch::Matchers::Contains("expected one that does ffn"));
}
