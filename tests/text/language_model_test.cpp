// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/language_model.hpp"

#include <cmath>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "flashlm/model/engine.hpp"
#include "flashlm/text/grammar/grammar.hpp"
#include "support/catch.hpp"
#include "support/reference_model.hpp"
#include "support/tiny_model.hpp"
#include "support/tokens.hpp"

using namespace flashlm;
using text::LanguageModel;
using text::LanguageModelOptions;

namespace {

LanguageModelOptions options(std::string memory, int n_threads = 1, std::size_t max_batch = 8) {
  return {.memory = std::move(memory), .n_threads = n_threads, .max_batch = max_batch};
}

}  // namespace

TEST_CASE("text is the same, bit for bit, at every budget, thread count and batch size") {
  auto shape = support::TinyShape::of(
      GENERATE(DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0));
  const support::TinyModel tiny(shape);
  LanguageModel resident = LanguageModel::open(tiny.path(), options("100%"));
  const text::GenerationOptions sampled{
      .max_new_tokens = 30, .temperature = 0.8f, .top_p = 0.9f, .seed = 4};
  const std::string expected = resident.generate("A text, long enough for batches.", sampled);
  for (const char* memory : {"50%", "75%", "100%"}) {
    for (const int n_threads : {1, 2}) {
      for (const std::size_t max_batch : {1, 5, 96}) {
        LanguageModel lm = LanguageModel::open(tiny.path(), options(memory, n_threads, max_batch));
        CHECK(lm.generate("A text, long enough for batches.", sampled) == expected);
      }
    }
  }
}

TEST_CASE("logits have a row for every token") {
  const support::TinyModel tiny;
  LanguageModel lm = LanguageModel::open(tiny.path(), options("60%"));
  const std::vector<Token> tokens = support::random_tokens(20);
  const std::vector<float> got = lm.logits(tokens);
  const auto expected = support::reference_logits(tiny.shape, tiny.weights, tokens);
  REQUIRE(got.size() == 20 * 257);
  for (std::size_t at = 0; at < got.size(); ++at) {
    REQUIRE(got[at] == Approx(expected[at / 257][at % 257]).margin(2e-5));
  }
  CHECK(lm.logits({}).empty());
  CHECK_THROWS_AS(lm.logits(support::random_tokens(97)), ShapeError);
}

TEST_CASE(
    "perplexity is exp of the mean negative log-likelihood, in windows that overlap by one token") {
  const support::TinyModel tiny;
  LanguageModelOptions small = options("60%");
  small.context = GENERATE(2, 7, 20, 96);
  LanguageModel lm = LanguageModel::open(tiny.path(), small);
  const std::string text = "The quick brown fox jumps over it.";
  const std::vector<Token> tokens = lm.tokenizer().encode(text);
  double sum = 0;
  for (std::size_t begin = 0; begin + 1 < tokens.size(); begin += small.context - 1) {
    const std::size_t end = std::min(begin + small.context, tokens.size());
    const std::vector<Token> window(tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                                    tokens.begin() + static_cast<std::ptrdiff_t>(end));
    const auto logits = support::reference_logits(tiny.shape, tiny.weights, window);
    for (std::size_t at = 0; at + 1 < window.size(); ++at) {
      double total = 0;
      for (const double logit : logits[at]) total += std::exp(logit);
      sum += std::log(total) - logits[at][static_cast<std::size_t>(window[at + 1])];
    }
  }
  CHECK(lm.perplexity(text) ==
        Approx(std::exp(sum / static_cast<double>(tokens.size() - 1))).epsilon(1e-5));
}

TEST_CASE(
    "tokens that the model has no row for are never written, and refused where a text has one") {
  const support::TinyModel tiny;
  nlohmann::json document =
      nlohmann::json::parse(storage::read_text(tiny.path() / "tokenizer.json"));
  document["added_tokens"].push_back({{"id", 257}, {"content", "<pad>"}, {"special", true}});
  document["added_tokens"].push_back({{"id", 258}, {"content", "ab"}, {"special", false}});
  const auto tokenizer =
      std::make_shared<const text::Tokenizer>(text::Tokenizer::parse(document.dump()));
  REQUIRE(tokenizer->vocab_size() == 259);
  LanguageModel plain = LanguageModel::open(tiny.path(), options("100%"));
  LanguageModel lm(std::make_shared<model::Engine>(model::Model::open(tiny.path(), "auto"),
                                                   model::EngineOptions{}),
                   tokenizer);
  CHECK(lm.generate("Hello", {.max_new_tokens = 20}) ==
        plain.generate("Hello", {.max_new_tokens = 20}));
  CHECK(lm.tokenizer().encode("<pad>") == std::vector<Token>{257});
  for (const std::string prompt : {"a <pad>", "xaby"}) {
    CHECK_THROWS_AS(lm.generate(prompt), ArgumentError);
    CHECK_THROWS_AS(lm.perplexity(prompt), ArgumentError);
  }
  CHECK_THROWS_WITH(lm.generate("a <pad>"),
                    Catch::Matchers::ContainsSubstring("ids below 257, got 257, which is '<pad>'"));
  CHECK_THROWS_AS(lm.logits(std::vector<Token>{257}), ArgumentError);
  // A grammar's text that the tokenizer would spell with such a token is spelled otherwise.
  const auto grammar = std::make_shared<const text::Grammar>(
      text::Grammar::from_json_schema(R"({"enum": ["xxabyy"]})"));
  const text::GenerationOptions guided{.max_new_tokens = 30, .grammar = grammar};
  CHECK(lm.generate("Say:", guided) == "\"xxabyy\"");
}

TEST_CASE("perplexity of fewer than two tokens is a ShapeError") {
  const support::TinyModel tiny;
  LanguageModel lm = LanguageModel::open(tiny.path(), options("60%"));
  CHECK_THROWS_AS(lm.perplexity(""), ShapeError);
  CHECK_THROWS_AS(lm.perplexity("x"), ShapeError);
}

TEST_CASE("sessions in several threads give the texts that they would give alone") {
  const support::TinyModel tiny;
  LanguageModel lm = LanguageModel::open(tiny.path(), options("60%", 2));
  const auto one_text = [&](std::uint64_t seed) {
    return lm
        .stream(lm.session(), "Once upon", {.max_new_tokens = 20, .temperature = 1, .seed = seed})
        .rest();
  };
  std::vector<std::string> expected;
  for (std::uint64_t seed = 0; seed < 4; ++seed) expected.push_back(one_text(seed));
  std::vector<std::string> got(4);
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] { got[seed] = one_text(seed); });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(got == expected);
}

TEST_CASE("threads that call one model get what each call gives alone") {
  const support::TinyModel tiny;
  LanguageModel lm = LanguageModel::open(tiny.path(), options("60%", 2));
  const std::vector<Token> ids = lm.tokenizer().encode("Some text");
  const std::vector<std::function<std::string(LanguageModel&)>> calls = {
      [](LanguageModel& model) { return model.generate("Once", {.max_new_tokens = 20}); },
      [](LanguageModel& model) {
        return model.generate("Then", {.max_new_tokens = 20, .temperature = 1, .seed = 3});
      },
      [](LanguageModel& model) {
        text::Generation generation = model.stream("Twice", {.max_new_tokens = 20});
        std::string text;
        while (const auto piece = generation.next()) text += *piece;
        return text;
      },
      [](LanguageModel& model) {
        return std::to_string(model.perplexity("A text to be surprised by"));
      },
      [&](LanguageModel& model) {
        std::string bytes;
        for (const float logit : model.logits(ids)) bytes += std::to_string(logit);
        return bytes;
      },
      [&](LanguageModel& model) {
        double sum = 0;
        std::size_t n = 0;
        model.collect(ids, [&](std::size_t, std::size_t n_tokens, std::span<const float>,
                               std::span<const float> h) {
          n += n_tokens;
          for (const float value : h) sum += value;
        });
        return std::to_string(n) + " " + std::to_string(sum);
      }};
  std::vector<std::string> expected;
  for (const auto& call : calls) {
    LanguageModel own = LanguageModel::open(tiny.path(), options("60%", 2));
    expected.push_back(call(own));
  }
  std::vector<std::string> got(3 * calls.size());
  std::vector<std::thread> threads;
  for (std::size_t at = 0; at < got.size(); ++at) {
    threads.emplace_back([&, at] { got[at] = calls[at % calls.size()](lm); });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t at = 0; at < got.size(); ++at) CHECK(got[at] == expected[at % calls.size()]);
}

TEST_CASE(
    "a callback that uses the model it was called by gets an ArgumentError, and the model goes "
    "on") {
  const support::TinyModel tiny;
  LanguageModel lm = LanguageModel::open(tiny.path(), options("60%"));
  text::GenerationOptions nested{.max_new_tokens = 3};
  nested.on_prefill = [&](std::size_t, std::size_t) { lm.generate("Twice"); };
  CHECK_THROWS_AS(lm.generate("Once", nested), ArgumentError);
  CHECK(lm.generate("Once", {.max_new_tokens = 3}) ==
        lm.stream(lm.session(), "Once", {.max_new_tokens = 3}).rest());
}

TEST_CASE("a second prompt pays only for what it does not share with the first") {
  const support::TinyModel tiny;
  LanguageModel lm = LanguageModel::open(tiny.path(), options("60%"));
  lm.generate("A long common beginning. First", {.max_new_tokens = 1});
  lm.generate("A long common beginning. Second", {.max_new_tokens = 1});
  CHECK(lm.stats().reused_tokens == std::string("A long common beginning. ").size());
  CHECK(lm.tokenizer().decode(lm.tokens()).starts_with("A long common beginning. Second"));
}

TEST_CASE("a plan is what opening would take, and is refused as opening is") {
  const support::TinyModel tiny;
  for (const char* memory : {"60%", "100%"}) {
    const auto plan = LanguageModel::plan(tiny.path(), options(memory));
    CHECK(plan.table() == LanguageModel::open(tiny.path(), options(memory)).memory_plan().table());
  }
  CHECK_THROWS_AS(LanguageModel::plan(tiny.path(), options("1")), BudgetError);
  CHECK_THROWS_AS(LanguageModel::plan(tiny.path(), options("nonsense")), ArgumentError);
}

TEST_CASE(
    "without a word about memory a model takes what the system can spare, and says the same text") {
  const support::TinyModel tiny;
  LanguageModel named = LanguageModel::open(tiny.path(), options("60%"));
  const std::string expected = named.generate("A text.", {.max_new_tokens = 20});
  LanguageModel lm = LanguageModel::open(tiny.path());
  CHECK(lm.generate("A text.", {.max_new_tokens = 20}) == expected);
  CHECK(lm.memory_plan().limit.bound != MemoryBound::none);
  CHECK(named.memory_plan().limit.bound == MemoryBound::none);
  LanguageModelOptions group{.parallel = 2};
  group.sensor = [] { return MemoryState{.limit = {MemoryBound::group, 300u << 20, 80u << 20}}; };
  LanguageModel small = LanguageModel::open(tiny.path(), group);
  CHECK(small.memory_plan().budget <= 5u << 20);
  CHECK(small.memory_plan().sessions == 2);
  CHECK(small.generate("A text.", {.max_new_tokens = 20}) == expected);
  CHECK(LanguageModel::plan(tiny.path(), group).table() == small.memory_plan().table());
  CHECK(LanguageModel::largest_context(tiny.path(), group) == tiny.shape.context);
}

TEST_CASE("bad options are errors of the documented type, before weights are read") {
  const support::TinyModel tiny;
  CHECK_THROWS_AS(LanguageModel::open(tiny.path(), options("a lot")), ArgumentError);
  CHECK_THROWS_AS(LanguageModel::open(tiny.path(), options("50%", -1)), ArgumentError);
  CHECK_THROWS_AS(LanguageModel::open(tiny.path() / "nowhere", options("50%")), IoError);
  bool read = false;
  LanguageModelOptions small = options("1KiB");
  small.on_progress = [&](std::size_t, std::size_t) { read = true; };
  CHECK_THROWS_AS(LanguageModel::open(tiny.path(), small), BudgetError);
  CHECK_FALSE(read);
}
