// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/graph/tensors.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/tiny_model.hpp"

using namespace flashlm::model;

namespace {

std::vector<std::string> names(const support::TinyShape& shape) {
  std::vector<std::string> names;
  for (const GraphTensor& tensor : tensors(support::tiny_spec(shape))) names.push_back(tensor.name);
  return names;
}

}  // namespace

TEST_CASE("tensors come in the order of a pass") {
  support::TinyShape shape;
  shape.n_layers = 1;
  shape.tied = false;
  const std::vector<std::string> expected{"layers.0.attention_norm",
                                          "layers.0.q",
                                          "layers.0.v",
                                          "layers.0.k",
                                          "layers.0.o",
                                          "layers.0.ffn_norm",
                                          "layers.0.gate",
                                          "layers.0.up",
                                          "layers.0.down",
                                          "final_norm",
                                          "head",
                                          "embedding"};
  CHECK(names(shape) == expected);
}

TEST_CASE("segments count the steps of a pass, an embedding of its own behind them") {
  support::TinyShape shape;
  shape.n_layers = 2;
  shape.tied = GENERATE(false, true);
  std::size_t next = 0;
  std::set<std::string> streamed;
  const bool bundled = GENERATE(false, true);
  for (const GraphTensor& tensor : tensors(support::tiny_spec(shape), bundled)) {
    if (!tensor.segment) {
      CHECK((tensor.kind == TensorKind::vector || tensor.kind == TensorKind::table));
      continue;
    }
    CHECK((*tensor.segment == next ||
           (bundled && tensor.kind == TensorKind::neurons && *tensor.segment + 1 == next)));
    next = std::max(next, *tensor.segment + 1);
    streamed.insert(tensor.name);
  }
  CHECK(next == (bundled ? 10 : 14) + (shape.tied ? 1u : 2u));
  CHECK(streamed.size() == 2 * 7 + (shape.tied ? 1u : 2u));
}

TEST_CASE("every bias and every norm has a tensor, and no other") {
  support::TinyShape shape;
  shape.n_layers = 1;
  shape.qkv_bias = shape.qk_norm = shape.sandwich = true;
  const std::vector<std::string> all = names(shape);
  const std::set<std::string> found(all.begin(), all.end());
  CHECK(found.size() == all.size());
  for (const char* name : {"q_bias", "k_bias", "v_bias", "q_norm", "k_norm", "attention_after_norm",
                           "ffn_after_norm"}) {
    CHECK(found.contains(std::string("layers.0.") + name));
  }
  CHECK_FALSE(found.contains("layers.0.o_bias"));
  CHECK_FALSE(found.contains("layers.0.up_bias"));
  CHECK_FALSE(found.contains("layers.0.q_norm_bias"));
}

TEST_CASE("a second part of a kind has names of its own") {
  ModelSpec spec = support::tiny_spec();
  LayerSpec& layer = spec.stacks[0].kinds[0];
  layer.parts.push_back(layer.parts[1]);
  std::set<std::string> found;
  std::size_t n = 0;
  for (const GraphTensor& tensor : tensors(spec)) found.insert(tensor.name), ++n;
  CHECK(found.size() == n);
  CHECK(found.contains("layers.0.part2.up"));
}
