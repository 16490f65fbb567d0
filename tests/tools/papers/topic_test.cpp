// SPDX-License-Identifier: Apache-2.0
/// topic_test.cpp: what counts as being about a topic.
#include "flashlm/tools/papers/topic.hpp"

#include <string>

#include "flashlm/base/error.hpp"
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
  for (const char* topic :
       {"LLM", "llm", "LLMs", "large language models", "Large Language Model"}) {
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

TEST_CASE("Case does not count in any script, nor how accents are written") {
  const char* const small = "\u00e9tude";
  for (const char* title :
       {"\u00c9tude de cas", "Une \u00e9tude", "\u00c9TUDES", "e\u0301tude", "E\u0301TUDE"}) {
    CAPTURE(title);
    CHECK(has(small, title));
    CHECK(has("\u00c9tude", title));
    CHECK(has("e\u0301tude", title));
  }
  CHECK(has("\u043c\u043e\u0434\u0435\u043b\u044c", "\u041c\u041e\u0414\u0415\u041b\u042c"));
  CHECK(has("\u03bb\u03cc\u03b3\u03bf\u03c2", "\u039b\u038c\u0393\u039f\u03a3"));
  CHECK(has("stra\u00dfe", "STRASSE"));
  CHECK(has("schr\u00f6dinger bridge", "Schro\u0308dinger BRIDGES"));
  CHECK(has("modele", "Mod\u00e8les"));
  CHECK_FALSE(has("\u00e9tude", "\u00e8tude"));
  CHECK_FALSE(has("caf\u00e9", "caf\u00e9teria"));  // four letters, however many code points
  CHECK_FALSE(has("r\u00e9sum\u00e9", "r\u00e9sum"));
}

TEST_CASE("A word without accents finds those with them, and one with accents only these") {
  CHECK(has("Poincare", "Poincar\u00e9 embeddings"));
  CHECK(has("nystrom", "The Nystr\u00f6m method"));
  CHECK_FALSE(has("Poincar\u00e9", "Poincare embeddings"));
  CHECK_FALSE(has("mod\u00e8le", "modele"));
}

TEST_CASE("Quotes, dashes and stops of any script end words") {
  CHECK(has("diffusion", "\u201cDiffusion\u201d without noise"));
  CHECK(has("agents", "LLM\u2014Agents"));
  CHECK(has("diffusion", "Dif\u00adfusion"));
  CHECK(has("\u8bed\u97f3\uff0crobotics", "Robotics"));
  CHECK(has("robotics\u3001speech", "Speech"));
  CHECK_FALSE(has("LLM", "Long\u3002Language models"));
}

TEST_CASE("Words of other scripts are words") {
  const char* const speech = "\u8bed\u97f3";
  CHECK(has(speech, "\u8bed\u97f3 x"));
  CHECK(
      has(speech,
          "\u57fa\u4e8e\u8bed\u97f3\u7684\u8bc6\u522b"));  // in the middle of a text without spaces
  CHECK_FALSE(has(speech, "x"));
  CHECK_FALSE(has(speech, "\u8bed\u4e49"));
  CHECK(has("\ubaa8\ub378", "\ubaa8\ub378\uc744"));  // Korean, with a particle
  CHECK(has(
      "\u0411\u042f\u041c",
      "\u0411\u043e\u043b\u044c\u0448\u0438\u0435 \u044f\u0437\u044b\u043a\u043e\u0432\u044b\u0435 "
      "\u043c\u043e\u0434\u0435\u043b\u0438"));  // an acronym
}

TEST_CASE("A topic without words is refused") {
  for (const char* topic :
       {"", " ", "...", "the", ", ;", "of the", "\u3002", "\u2014", "\u3001", "\xff\xfe"})
    CHECK_THROWS_AS(Topic(topic), ArgumentError);
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
