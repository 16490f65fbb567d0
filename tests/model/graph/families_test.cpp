// SPDX-License-Identifier: Apache-2.0
/// families_test.cpp: the graphs of all families that people run, drawn on paper: each can be said, and those that
/// nothing computes yet are refused by the name of a field.
#include <filesystem>
#include <map>
#include <string>

#include "flashlm/base/error.hpp"
#include "flashlm/model/graph/read_spec.hpp"
#include "flashlm/model/graph/runs.hpp"
#include "flashlm/storage/file.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using namespace flashlm::model;

TEST_CASE("the graph of every family can be said, and runs or is refused by a field") {
  const std::string runs = "runs";
  // The first field that nothing computes.
  const std::map<std::string, std::string> expected{
      {"llama", runs},
      {"opt", runs},
      {"qwen2", runs},
      {"qwen3", runs},
      {"granite", runs},
      {"smollm3", runs},
      {"olmo2", runs},
      {"persimmon", runs},
      {"nemotron", runs},
      {"qwen3moe", "does"},
      {"olmoe", "attention.clip"},
      {"gpt_oss", "attention.window"},
      {"qwen35", "does"},
      {"qwen35moe", "does"},
      {"gemma1", "ffn.activation"},
      {"gemma2", "head.softcap"},
      {"gemma3", "attention.window"},
      {"gemma4", "head.softcap"},
      {"gemma4_moe", "head.softcap"},
      {"gemma4_shared_kv", "head.softcap"},
      {"muse_glimmer", "head.softcap"},
      {"ministral3", "attention.query_scale"},
      {"lfm2", "does"},
      {"lfm2_moe", "does"},
      {"nemotron_h", "does"},
      {"glm4_moe", "does"},
      {"smallthinker", "does"},
      {"phi2", "ffn.activation"},
      {"phi3", "attention.rope.by_context"},
      {"gptneox", "ffn.activation"},
      {"falcon_7b", "ffn.activation"},
      {"falcon_40b", "ffn.activation"},
      {"gpt2", "ffn.activation"},
  };
  std::size_t n = 0;
  for (const auto& entry : std::filesystem::directory_iterator("tests/model/graph/families")) {
    const std::string family = entry.path().stem().string();
    const ModelSpec spec = parse_spec(storage::read_text(entry.path()), family);
    std::string refused = runs;
    try {
      require_runs(spec, family);
    } catch (const FormatError& error) {
      refused = error.what();
    }
    INFO(family << ": " << refused);
    CHECK_THAT(refused, Catch::Matchers::Contains(expected.at(family)));
    ++n;
  }
  CHECK(n == expected.size());
}
