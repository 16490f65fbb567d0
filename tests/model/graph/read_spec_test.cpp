// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/graph/read_spec.hpp"

#include <nlohmann/json.hpp>
#include <string>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"
#include "support/tiny_model.hpp"

using namespace flashlm;
using namespace flashlm::model;
using nlohmann::json;

namespace {

const std::string kKind = "/stacks/0/layer_kinds/0";
const std::string kAttention = kKind + "/parts/0/attention";
const std::string kFfn = kKind + "/parts/1/ffn";

/// What is said of a graph with another value at `path`.
std::string refusal(const std::string& path, const json& value,
                    json graph = support::tiny_graph({})) {
  graph[json::json_pointer(path)] = value;
  try {
    parse_spec(graph.dump(), "a/flashlm.json");
    return "none";
  } catch (const FormatError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("a graph is read whole") {
  const ModelSpec spec = support::tiny_spec();
  CHECK(spec.dim == 24);
  CHECK(spec.vocab_size == 257);
  CHECK(spec.max_context == 96);
  CHECK(spec.embedding.scale == 1);
  CHECK_FALSE(spec.embedding.positions.has_value());
  CHECK(spec.final_norm.epsilon == 1e-5f);
  CHECK(spec.head.tied);
  const PartSpec& attention = spec.layer(1).parts[0];
  CHECK(attention.does == PartKind::attention);
  CHECK(attention.before->kind == NormKind::rms);
  CHECK(attention.attention.kv_heads == 2);
  CHECK(attention.attention.value_dim == 6);
  CHECK(attention.attention.rope->frequencies.size() == 3);
  CHECK(attention.attention.rope->frequencies[0] == 1);
  const PartSpec& ffn = spec.layer(1).parts[1];
  CHECK(ffn.group == 1);
  CHECK(ffn.residual_scale == 1);
  CHECK(ffn.ffn.activation == kernels::Activation::silu);
  CHECK(spec.layer(0).group_after.size() == 2);
}

TEST_CASE("a graph with positions in a table and biases is read whole") {
  const ModelSpec spec = support::tiny_spec(support::TinyShape::opt());
  CHECK(spec.embedding.positions->rows == 98);
  CHECK(spec.embedding.positions->offset == 2);
  CHECK(spec.final_norm.kind == NormKind::layer);
  CHECK(spec.attention().bias.output);
  CHECK_FALSE(spec.attention().rope.has_value());
  CHECK_FALSE(spec.ffn().gated);
  CHECK(spec.ffn().bias.down);
}

TEST_CASE("an unknown field is refused by its path, wherever it stands") {
  for (const std::string& path :
       {std::string("/dims"), kKind + "/norm", kKind + "/parts/0/window", kAttention + "/windows",
        kAttention + "/rope/theta", kFfn + "/experts", kKind + "/parts/0/before/eps",
        std::string("/head/tie")}) {
    const std::string message = refusal(path, 1);
    INFO(path << ": " << message);
    CHECK_THAT(message, Catch::Matchers::Contains("unknown field") &&
                            Catch::Matchers::Contains("a/flashlm.json"));
    CHECK_THAT(message, Catch::Matchers::Contains(path.substr(path.rfind('/') + 1)));
  }
}

TEST_CASE("a value out of range or of another kind is refused by its path") {
  const auto check = [](const std::string& path, const json& value, const std::string& field) {
    const std::string message = refusal(path, value);
    INFO(path << " = " << value << ": " << message);
    CHECK_THAT(message,
               Catch::Matchers::StartsWith("[graph] ") && Catch::Matchers::Contains(field));
  };
  for (const json& value :
       {json(0), json(-1), json(1.5), json("8"), json(nullptr), json(std::uint64_t{1} << 40)}) {
    check("/dim", value, "dim");
    check(kFfn + "/hidden", value, "parts[1].ffn.hidden");
    check(kAttention + "/heads", value, "parts[0].attention.heads");
  }
  check(kAttention + "/kv_heads", 3, "a divisor of heads, which is 4");
  check(kAttention + "/rope/dims", 3, "rope.dims");
  check(kAttention + "/rope/dims", 8, "rope.dims");
  check(kAttention + "/rope/frequencies", json::array({1, 2}), "expected 3 numbers, got 2");
  check(kAttention + "/rope/frequencies/0", -1, "radians");
  check(kAttention + "/scale", 0, "scale");
  check(kAttention + "/scale", 1e-60, "fits into float32");
  check(kAttention + "/value", "other", "own or key");
  check(kFfn + "/activation", "swish", "silu, relu, relu2");
  check(kFfn + "/activation", "fatrelu", "threshold");
  check(kFfn + "/threshold", 1, "is not for silu");
  check(kKind + "/parts/0/does", "dance", "attention, ffn");
  check(kKind + "/parts/0/does", "ffn", "parts[0].ffn");
  check(kKind + "/parts/0/group", 1, "group");
  check(kKind + "/parts/1/group", 2, "group");
  check(kKind + "/parts/1/reads", json{{"norm_of", 0}}, "same group");
  check(kKind + "/parts/1/reads", json{{"norm_of", 1}}, "norm_of");
  check(kKind + "/parts", json::array(), "parts");
  check(kKind + "/group_after", json::array({nullptr}), "expected 2 norms");
  check("/stacks/0/layers", json::array({1}), "layers[0]");
  check("/stacks/0/layers", json::array(), "layers");
  check("/stacks", json::array(), "stacks");
  check("/stacks/0/kind", "encoder", "a decoder as the last stack");
  check("/final_norm/epsilon", 0, "final_norm.epsilon");
  check("/final_norm/kind", "batch", "rms or layer");
  check("/head/tied", 1, "head.tied");
}

TEST_CASE("positions without a row each are refused") {
  const json graph = support::tiny_graph(support::TinyShape::opt());
  CHECK_THAT(refusal("/embedding/positions/rows", 97, graph), Catch::Matchers::Contains("98"));
}

TEST_CASE("text that is no JSON, or no object, is refused") {
  for (const char* text : {"", "[]", "{", "{\"dim\": 1, \"dim\": 2}"})
    CHECK_THROWS_AS(parse_spec(text, "x"), FormatError);
}
