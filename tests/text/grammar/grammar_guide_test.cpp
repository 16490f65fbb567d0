// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/grammar_guide.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/text/grammar/grammar.hpp"
#include "flashlm/text/language_model.hpp"
#include "support/catch.hpp"
#include "support/grammar.hpp"
#include "support/tiny_model.hpp"

using namespace flashlm;
using text::FinishReason;
using text::Generation;
using text::GenerationOptions;
using text::Grammar;
using text::LanguageModel;

namespace {

std::shared_ptr<const Grammar> grammar_of(std::string_view schema) {
  return std::make_shared<const Grammar>(Grammar::from_json_schema(schema));
}

LanguageModel open(const support::TinyModel& tiny, std::size_t max_batch = 8) {
  return LanguageModel::open(tiny.path(),
                             {.memory = "60%", .n_threads = 1, .max_batch = max_batch});
}

}  // namespace

TEST_CASE("a random model always writes JSON that the schema allows, whatever the room") {
  const support::TinyModel tiny;
  LanguageModel lm = open(tiny);
  for (const std::string& schema : support::example_schemas()) {
    CAPTURE(schema);
    const auto grammar = grammar_of(schema);
    const auto parsed = nlohmann::json::parse(schema);
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      const auto shortest = static_cast<std::size_t>(grammar->shortest());
      GenerationOptions options{.max_new_tokens = std::max<std::size_t>(88, shortest),
                                .temperature = seed % 2 == 0 ? 0.0f : 3.0f,
                                .seed = seed,
                                .grammar = grammar};
      if (seed == 4) options.repetition_penalty = 1.5f;
      if (seed == 5) options.max_new_tokens = shortest;
      Generation generation = lm.stream("Once", options);
      const std::string text = generation.rest();
      CAPTURE(text);
      REQUIRE(nlohmann::json::accept(text));
      REQUIRE(support::validates(nlohmann::json::parse(text), parsed, parsed));
      CHECK(generation.tokens().size() <= options.max_new_tokens);
      const FinishReason reason = generation.finish_reason();
      CHECK((reason == FinishReason::eos || reason == FinishReason::length));
    }
  }
}

TEST_CASE("random logits alone always make a whole text, at any room") {
  const support::TinyModel tiny;
  const auto tokenizer = std::make_shared<const text::Tokenizer>(
      text::Tokenizer::open(tiny.path() / "tokenizer.json"));
  Random random(31);
  for (const std::string& schema : support::example_schemas()) {
    CAPTURE(schema);
    const auto grammar = grammar_of(schema);
    const auto parsed = nlohmann::json::parse(schema);
    for (int round = 0; round < 12; ++round) {
      text::GrammarGuide guide(grammar->shared_rules(), tokenizer, std::vector<Token>{256}, 300);
      std::size_t room = guide.least_room() + random.next() % 40;
      text::Sampler sampler({.temperature = 1, .seed = random.next()}, 300);
      std::vector<float> logits(300);
      std::vector<Token> tokens;
      while (!guide.is_complete()) {
        const std::vector<Token> forced = guide.forced(room);
        tokens.insert(tokens.end(), forced.begin(), forced.end());
        REQUIRE(forced.size() <= room);
        room -= forced.size();
        if (guide.is_complete() || room == 0) break;
        if (!forced.empty()) continue;
        for (float& logit : logits) logit = static_cast<float>(random.uniform() * 8);
        const auto token = guide.choose(sampler, logits, tokens, room);
        if (!token) continue;
        if (*token == 256) break;
        tokens.push_back(*token);
        --room;
      }
      const std::string text = tokenizer->decode(tokens);
      CAPTURE(text);
      REQUIRE(nlohmann::json::accept(text));
      REQUIRE(support::validates(nlohmann::json::parse(text), parsed, parsed));
    }
  }
}

TEST_CASE("forced tokens cost no choice and no steps of their own") {
  const support::TinyModel tiny;
  LanguageModel lm = open(tiny, 96);
  Generation fixed = lm.stream("Once", {.grammar = grammar_of(R"({"const": {"a": [1, 2, 3]}})")});
  CHECK(fixed.rest() == R"({"a": [1, 2, 3]})");
  CHECK(fixed.finish_reason() == FinishReason::eos);
  CHECK(lm.stats().tokens == 0);
  CHECK(lm.stats().prefill_tokens == 0);  // nobody asked the model
}

TEST_CASE("forced tokens in one batch give the text that they give one by one") {
  const support::TinyModel tiny;
  const auto grammar = grammar_of(support::example_schemas()[7]);
  const GenerationOptions options{
      .max_new_tokens = 80, .temperature = 1, .seed = 3, .grammar = grammar};
  LanguageModel batched = open(tiny, 96);
  LanguageModel single = open(tiny, 1);
  CHECK(batched.generate("Once", options) == single.generate("Once", options));
  CHECK(batched.generate("Once", options) == single.generate("Once", options));
}

TEST_CASE("too little room is an error that names what would do") {
  const support::TinyModel tiny;
  LanguageModel lm = open(tiny);
  const auto grammar = grammar_of(R"({"const": "0123456789"})");
  CHECK_THROWS_AS(lm.stream("x", {.max_new_tokens = 3, .grammar = grammar}), ArgumentError);
  CHECK_THROWS_WITH(lm.stream("x", {.max_new_tokens = 3, .grammar = grammar}),
                    Catch::Matchers::ContainsSubstring("at least 12"));
  CHECK_THROWS_AS(lm.stream(std::string(90, 'x'), {.grammar = grammar}), ShapeError);
  CHECK(lm.generate("x", {.max_new_tokens = 12, .grammar = grammar}) == R"("0123456789")");
}

TEST_CASE("the end of the context is an end of the room too") {
  const support::TinyModel tiny;
  LanguageModel lm = open(tiny);
  const std::string schema =
      R"({"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1})";
  for (std::size_t length = 60; length < 92; ++length) {
    const std::string text =
        lm.generate(std::string(length, 'x'),
                    {.max_new_tokens = 1000, .temperature = 2, .grammar = grammar_of(schema)});
    REQUIRE(nlohmann::json::accept(text));
  }
}

TEST_CASE("a stop string still ends the text") {
  const support::TinyModel tiny;
  LanguageModel lm = open(tiny);
  Generation generation =
      lm.stream("x", {.stop = {"456"}, .grammar = grammar_of(R"({"const": "0123456789"})")});
  CHECK(generation.rest() == "\"0123");
  CHECK(generation.finish_reason() == FinishReason::stop);
}
