// SPDX-License-Identifier: Apache-2.0
/// families_test.cpp: the graphs of all families that people run, drawn on paper: each can be said,
/// and those that nothing computes yet are refused by the name of a field.
#include <filesystem>
#include <map>
#include <string>

#include "flashlm/base/error.hpp"
#include "flashlm/model/graph/read_spec.hpp"
#include "flashlm/model/graph/runs.hpp"
#include "flashlm/storage/io/file.hpp"
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
      {"gpt_oss", "attention.sinks"},
      {"qwen35", "does"},
      {"qwen35moe", "does"},
      {"gemma1", runs},
      {"gemma2", runs},
      {"gemma3", runs},
      {"gemma4", "attention.v_norm"},
      {"gemma4_moe", "attention.v_norm"},
      {"gemma4_shared_kv", "attention.v_norm"},
      {"muse_glimmer", "attention.q_norm"},
      {"ministral3", "attention.query_scale"},
      {"lfm2", "does"},
      {"lfm2_moe", "does"},
      {"nemotron_h", "does"},
      {"glm4_moe", "does"},
      {"smallthinker", "does"},
      {"phi2", runs},
      {"phi3", "attention.rope.by_context"},
      {"gptneox", runs},
      {"falcon_7b", runs},
      {"falcon_40b", runs},
      {"gpt2", runs},
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
