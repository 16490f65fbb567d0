// SPDX-License-Identifier: Apache-2.0
/// topic_test.cpp: what counts as being about a topic.
#include "flashlm/tools/topic.hpp"

#include <string>

#include "support/catch.hpp"

using flashlm::ArgumentError;
using namespace flashlm::tools;

namespace {
bool has(const std::string& topic, const std::string& text) { return Topic(topic).is_in(text); }
}  // namespace

TEST_CASE("Case, plural and hyphens do not count") {
  CHECK(has("diffusion model", "Diffusion Models Beat GANs"));
  CHECK(has("Agents", "An agent for the web"));
  CHECK(has("text-to-image", "Text to Image generation"));
  CHECK(has("studies", "A study"));
  CHECK(has("bias", "Bias in models"));
  CHECK_FALSE(has("diffusion", "Autoregressive models"));
}

TEST_CASE("All words of a topic must be there, in any order, and commas separate choices") {
  CHECK(has("language models for code", "Code generation with a language model"));
  CHECK_FALSE(has("language models for code", "A language model"));
  CHECK(has("robotics, speech", "Speech recognition"));
  CHECK(has("robotics; speech", "Robotics"));
  CHECK_FALSE(has("robotics, speech", "Vision"));
}

TEST_CASE("A word finds longer ones only if it says enough") {
  CHECK(has("agent", "Agentic retrieval"));
  CHECK(has("robot", "Robotics"));
  CHECK_FALSE(has("art", "Artificial"));
  CHECK_FALSE(has("code", "Codecs"));
}

TEST_CASE("Acronyms and what they stand for find each other") {
  for (const char* topic : {"LLM", "llm", "LLMs", "large language models", "Large Language Model"}) {
    CAPTURE(topic);
    CHECK(has(topic, "LLM in a flash"));
    CHECK(has(topic, "LLMs are few-shot learners"));
    CHECK(has(topic, "Large Language Models are"));
    CHECK_FALSE(has(topic, "A small language model"));
    CHECK_FALSE(has(topic, "Llama"));
  }
  CHECK(has("LLM", "MLLMs see"));
  CHECK(has("LLM agents", "Agents of large language models"));
  CHECK(has("large language model agents", "LLM agents"));
  CHECK(has("RAG", "Retrieval-augmented generation"));
  CHECK(has("rag", "retrieval augmented generation"));
  CHECK(has("MoE", "Mixture of Experts") == has("moe", "Mixture-of-Experts"));
  CHECK(has("moe", "Mixture-of-Experts"));
  CHECK(has("RL", "Deep reinforcement learning"));
  CHECK(has("reinforcement learning", "RL from human feedback"));
  CHECK_FALSE(has("RL", "Rotary layers"));
  CHECK_FALSE(has("cat", "can also take"));
  CHECK_FALSE(has("LLM", "Long. Language models"));
}

TEST_CASE("Words of other scripts are words") {
  CHECK(has("\xe8\xaf\xad\xe9\x9f\xb3", "\xe8\xaf\xad\xe9\x9f\xb3 x"));
  CHECK_FALSE(has("\xe8\xaf\xad\xe9\x9f\xb3", "x"));
}

TEST_CASE("A topic without words is refused") {
  for (const char* topic : {"", " ", "...", "the", ", ;", "of the"}) CHECK_THROWS_AS(Topic(topic), ArgumentError);
}

TEST_CASE("A title says more than keywords, and these more than a summary") {
  Paper paper;
  paper.title = "Reading from flash";
  paper.keywords = {"windowing", "bundles"};
  paper.summary = "Large language models on phones.";
  CHECK(Topic("flash").match(paper) == TopicMatch::title);
  CHECK(Topic("windowing").match(paper) == TopicMatch::keywords);
  CHECK(Topic("flash windowing").match(paper) == TopicMatch::keywords);
  CHECK(Topic("LLM").match(paper) == TopicMatch::summary);
  CHECK(Topic("flash LLM").match(paper) == TopicMatch::summary);
  CHECK(Topic("vision").match(paper) == TopicMatch::none);
}
