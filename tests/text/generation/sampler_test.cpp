// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/generation/sampler.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/random.hpp"
#include "flashlm/storage/io/file.hpp"
#include "support/allocation_counter.hpp"
#include "support/catch.hpp"

using flashlm::Token;
using namespace flashlm::text;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

Token sample(Sampler& sampler, std::vector<float> logits, const std::vector<Token>& history = {}) {
  return sampler.sample(logits, history);
}

SamplerOptions options_of(const nlohmann::json& json) {
  return {.temperature = json.value("temperature", 0.0f),
          .top_k = json.value("top_k", 0),
          .top_p = json.value("top_p", 1.0f),
          .min_p = json.value("min_p", 0.0f),
          .repetition_penalty = json.value("repetition_penalty", 1.0f)};
}

}  // namespace

TEST_CASE("the probabilities are those of transformers' logits processors") {
  const auto golden = nlohmann::json::parse(
      flashlm::storage::read_text("tests/text/tokenizer/golden/sampler.json"));
  for (const auto& entry : golden["cases"]) {
    CAPTURE(entry["options"].dump());
    Sampler sampler(options_of(entry["options"]));
    const auto token =
        static_cast<std::size_t>(sample(sampler, entry["logits"].get<std::vector<float>>(),
                                        entry["history"].get<std::vector<Token>>()));
    const auto expected = entry["probabilities"].get<std::vector<double>>();
    const std::vector<double> got = sampler.probabilities();
    REQUIRE(got.size() == expected.size());
    CHECK(got[token] > 0);
    for (std::size_t index = 0; index < got.size(); ++index) {
      CAPTURE(index);
      CHECK((got[index] > 0) == (expected[index] > 0));
      CHECK(got[index] == Approx(expected[index]).epsilon(1e-5).margin(1e-7));
    }
  }
}

TEST_CASE("tokens are drawn as often as their probability says") {
  const std::vector<double> probabilities = {0.5, 0.05, 0.3, 0.0, 0.15};
  std::vector<float> logits;
  for (const double each : probabilities) logits.push_back(static_cast<float>(std::log(each)));
  Sampler sampler({.temperature = 1, .seed = 5});
  const int n_draws = 200000;
  std::vector<int> counts(5, 0);
  for (int draw = 0; draw < n_draws; ++draw)
    ++counts[static_cast<std::size_t>(sample(sampler, logits))];
  CHECK(counts[3] == 0);
  double chi_squared = 0;
  for (std::size_t index = 0; index < 5; ++index) {
    if (probabilities[index] == 0) continue;
    const double expected = probabilities[index] * n_draws;
    chi_squared += (counts[index] - expected) * (counts[index] - expected) / expected;
  }
  CHECK(chi_squared < 16.3);  // 3 degrees of freedom, 0.1 %
}

TEST_CASE("the same seed gives the same tokens, another seed others") {
  const std::vector<float> logits(100, 0.0f);
  const auto draw = [&](std::uint64_t seed) {
    Sampler sampler({.temperature = 1, .top_p = 0.9f, .seed = seed});
    std::vector<Token> tokens;
    for (int step = 0; step < 50; ++step) tokens.push_back(sample(sampler, logits));
    return tokens;
  };
  CHECK(draw(1) == draw(1));
  CHECK(draw(1) != draw(2));
}

TEST_CASE("with a known vocabulary a sample allocates nothing") {
  const std::size_t vocab_size = 5000;
  Sampler sampler(
      {.temperature = 1, .top_k = 4000, .top_p = 0.95f, .min_p = 0.01f, .repetition_penalty = 1.1f},
      vocab_size);
  flashlm::Random random(2);
  const std::vector<Token> history = {1, 2, 3, 2};
  std::vector<float> logits(vocab_size);
  for (int step = 0; step < 5; ++step) {
    for (float& logit : logits) logit = random.uniform(-3, 3);
    const std::size_t before = support::allocation_count();
    sampler.sample(logits, history);
    CHECK(support::allocation_count() == before);
  }
}

TEST_CASE("temperature 0 takes the best, the lowest id of equals") {
  Sampler sampler;
  CHECK(sample(sampler, {0, 3, 1, 3}) == 1);
  CHECK(sample(sampler, {-kInfinity, -kInfinity, -5}) == 2);
  CHECK(sample(sampler, {0, kInfinity, 1}) == 1);
}

TEST_CASE("the repetition penalty counts a token once and works on both signs") {
  Sampler sampler({.repetition_penalty = 2});
  CHECK(sample(sampler, {3, 2, 0}, {0, 0, 0}) == 1);
  CHECK(sample(sampler, {3.5, 1, 0}, {0, 0, 0}) == 0);
  CHECK(sample(sampler, {-1, -1.5}, {0}) == 1);
  CHECK(sample(sampler, {3, 2, 0}, {}) == 0);
}

TEST_CASE("an extreme temperature still gives a token") {
  Sampler cold({.temperature = 1e-30f});
  CHECK(sample(cold, {1, 2, 1.9f}) == 1);
  Sampler hot({.temperature = 1e30f});
  const Token token = sample(hot, {1, 2, -kInfinity});
  CHECK((token == 0 || token == 1));
  Sampler infinite({.temperature = 1, .top_k = 2, .top_p = 0.5f, .min_p = 0.5f});
  CHECK(sample(infinite, {1, kInfinity, 0}) == 1);
}

TEST_CASE("NaN and logits without any possible token are errors that say so") {
  using Catch::Matchers::ContainsSubstring;
  for (const float temperature : {0.0f, 1.0f}) {
    Sampler sampler({.temperature = temperature});
    CHECK_THROWS_WITH(sample(sampler, {0, std::nanf(""), 1}), ContainsSubstring("NaN for token 1"));
    CHECK_THROWS_WITH(sample(sampler, {-kInfinity, -kInfinity}),
                      ContainsSubstring("-inf for all 2"));
    CHECK_THROWS_AS(sample(sampler, {}), flashlm::ShapeError);
    CHECK_THROWS_AS(sample(sampler, {1, 2}, {2}), flashlm::ArgumentError);
    CHECK_THROWS_AS(sample(sampler, {1, 2}, {-1}), flashlm::ArgumentError);
    CHECK(sample(sampler, {-kInfinity, 1}) == 1);
  }
}

TEST_CASE("options outside their range are ArgumentErrors") {
  const float nan = std::nanf("");
  for (const SamplerOptions& options : {
           SamplerOptions{.temperature = -1},
           SamplerOptions{.temperature = nan},
           SamplerOptions{.temperature = kInfinity},
           SamplerOptions{.top_k = -1},
           SamplerOptions{.top_p = 0},
           SamplerOptions{.top_p = 1.5f},
           SamplerOptions{.top_p = nan},
           SamplerOptions{.min_p = -0.1f},
           SamplerOptions{.min_p = 1.1f},
           SamplerOptions{.repetition_penalty = 0},
           SamplerOptions{.repetition_penalty = nan},
       }) {
    CHECK_THROWS_AS(Sampler(options), flashlm::ArgumentError);
  }
}
