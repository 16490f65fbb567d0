// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/generation/generation.hpp"

#include <atomic>
#include <cerrno>
#include <functional>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "flashlm/model/engine.hpp"
#include "flashlm/text/grammar/grammar.hpp"
#include "flashlm/text/language_model.hpp"
#include "support/bundle_fixture.hpp"
#include "support/catch.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_model.hpp"

using namespace flashlm;
using text::FinishReason;
using text::Generation;
using text::GenerationOptions;
using text::LanguageModel;

namespace {

LanguageModel open(const support::TinyModel& tiny) {
  return LanguageModel::open(tiny.path(), {.memory = "60%", .n_threads = 1, .max_batch = 8});
}

GenerationOptions sampled(std::size_t n, std::uint64_t seed) {
  return {.max_new_tokens = n, .temperature = 1.0f, .top_k = 40, .seed = seed};
}

}  // namespace

TEST_CASE("pieces together are the whole text, and every piece is whole characters") {
  const support::TinyModel tiny;
  LanguageModel lm = open(tiny);
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const std::string whole = lm.generate("Once", sampled(30, seed));
    std::string pieces;
    Generation generation = lm.stream("Once", sampled(30, seed));
    for (const std::string_view piece : generation) {
      CHECK_FALSE(piece.empty());
      CHECK((static_cast<unsigned char>(piece.front()) & 0xc0) != 0x80);
      pieces += piece;
    }
    CHECK(pieces == whole);
    CHECK(generation.next() == std::nullopt);
    CHECK(lm.tokenizer().decode(generation.tokens(), true) == whole);
  }
}

TEST_CASE("a prompt of tokens is continued as its text is") {
  const support::TinyModel tiny;
  LanguageModel lm = open(tiny);
  const std::vector<Token> prompt = lm.tokenizer().encode("Once");
  CHECK(lm.stream(prompt, sampled(20, 3)).rest() == lm.generate("Once", sampled(20, 3)));
  CHECK(lm.stream(lm.session(), prompt, sampled(20, 3)).rest() ==
        lm.generate("Once", sampled(20, 3)));
  CHECK_THROWS_AS(lm.stream(std::vector<Token>{}), ShapeError);
  CHECK_THROWS_AS(lm.stream(std::vector<Token>{-1}).next(), ArgumentError);
  CHECK_THROWS_AS(lm.stream(std::vector<Token>{Token{1} << 30}).next(), ArgumentError);
}

TEST_CASE("the same seed gives the same text, another seed another one") {
  const support::TinyModel tiny;
  LanguageModel lm = open(tiny);
  const std::string first = lm.generate("Once", sampled(40, 1));
  CHECK(lm.generate("Once", sampled(40, 1)) == first);
  CHECK(lm.generate("Once", sampled(40, 2)) != first);
  CHECK(lm.stream("Once", sampled(40, 2)).seed() == 2);
}

TEST_CASE("a text ends at its length, and says so") {
  const support::TinyModel tiny;
  LanguageModel lm = open(tiny);
  Generation generation = lm.stream("Once", {.max_new_tokens = 5});
  CHECK(generation.finish_reason() == FinishReason::none);
  generation.rest();
  CHECK(generation.finish_reason() == FinishReason::length);
  CHECK(generation.tokens().size() == 5);
  CHECK(generation.prompt_tokens().size() == 4);
  Generation none = lm.stream("Once", {.max_new_tokens = 0});
  CHECK(none.rest().empty());
  CHECK(none.finish_reason() == FinishReason::length);
}

TEST_CASE("a text ends when the context is full") {
  const support::TinyModel tiny;
  LanguageModel lm = open(tiny);
  Generation generation =
      lm.stream(std::string(90, 'x'), {.max_new_tokens = 1000, .temperature = 1, .top_k = 20});
  generation.rest();
  CHECK(generation.finish_reason() == FinishReason::context);
  CHECK(generation.tokens().size() == 7);  // the last one is sampled from position 96 and never run
}

TEST_CASE("a text ends before a stop string wherever its tokens are cut") {
  const support::TinyModel tiny;
  LanguageModel lm = open(tiny);
  const std::string whole = lm.generate("Once", sampled(40, 5));
  // Any three neighbouring ASCII bytes are three tokens here, so the stop string spans token
  // borders.
  std::size_t at = std::string::npos;
  for (std::size_t i = 4; i + 3 < whole.size() && at == std::string::npos; ++i) {
    const auto ascii = [&](std::size_t k) { return static_cast<unsigned char>(whole[k]) < 128; };
    if (ascii(i) && ascii(i + 1) && ascii(i + 2)) at = i;
  }
  REQUIRE(at != std::string::npos);
  GenerationOptions options = sampled(40, 5);
  options.stop = {whole.substr(at, 3)};
  Generation generation = lm.stream("Once", options);
  CHECK(generation.rest() == whole.substr(0, whole.find(options.stop[0])));
  CHECK(generation.finish_reason() == FinishReason::stop);
}

TEST_CASE("a closed text gives no more pieces") {
  const support::TinyModel tiny;
  LanguageModel lm = open(tiny);
  Generation generation = lm.stream("Once", sampled(40, 1));
  REQUIRE(generation.next());
  generation.close();
  CHECK(generation.next() == std::nullopt);
  CHECK(generation.finish_reason() == FinishReason::closed);
}

TEST_CASE("an end token ends the text and is not part of it") {
  support::TinyModel tiny;
  // Every token ends a text when the folder says so.
  storage::Manifest manifest = storage::Manifest::open(tiny.path());
  manifest.eos.resize(support::TinyShape::kVocabSize);
  std::iota(manifest.eos.begin(), manifest.eos.end(), 0);
  manifest.save(tiny.path());
  LanguageModel lm = open(tiny);
  Generation generation = lm.stream("Once", {.max_new_tokens = 20});
  CHECK(generation.rest().empty());
  CHECK(generation.finish_reason() == FinishReason::eos);
  CHECK(generation.tokens().size() == 1);
}

TEST_CASE(
    "an empty prompt, a prompt beyond the context and bad options are errors of the documented "
    "type") {
  const support::TinyModel tiny;
  LanguageModel lm = open(tiny);
  CHECK_THROWS_AS(lm.stream(""), ShapeError);
  CHECK_THROWS_AS(lm.stream(std::string(97, 'x')), ShapeError);
  CHECK_THROWS_AS(lm.stream("x", {.temperature = -1}), ArgumentError);
  CHECK_THROWS_AS(lm.stream("x", {.top_p = 0}), ArgumentError);
  CHECK_THROWS_AS(lm.stream("x", {.repetition_penalty = 0}), ArgumentError);
  CHECK(lm.generate("still works", {.max_new_tokens = 3}).size() > 0);
}

TEST_CASE("a text whose session went on with another of the same length goes on as if alone") {
  const support::TinyModel tiny;
  LanguageModel lm = open(tiny);
  const std::string first = lm.generate("Once", sampled(40, 1));
  const std::string second = lm.generate("Then", sampled(40, 2));
  Generation older = lm.stream("Once", sampled(40, 1));
  std::string got(older.next().value());
  Generation newer = lm.stream("Then", sampled(40, 2));
  REQUIRE(lm.tokenizer().encode("Once").size() == lm.tokenizer().encode("Then").size());
  std::string other(newer.next().value());
  got += older.rest();
  other += newer.rest();
  CHECK(got == first);
  CHECK(other == second);
}

TEST_CASE(
    "texts of one session that are pulled by turns are what each is alone, whatever else the "
    "session does") {
  const support::TinyModel tiny;
  const support::TempFolder folder;
  LanguageModel lm = open(tiny);
  const auto session = lm.session();
  GenerationOptions number = sampled(30, 3);
  number.grammar = std::make_shared<
      const text::Grammar>(text::Grammar::from_json_schema(std::string_view(
      R"({"type": "object", "properties": {"long_name": {"type": "integer"}}, "required": ["long_name"]})")));
  GenerationOptions stored = sampled(20, 4);
  stored.kv_store = std::make_shared<text::KvStore>(folder / "kv", std::uint64_t{1} << 30);
  const std::vector<std::pair<std::string, GenerationOptions>> asked = {
      {"Once", sampled(30, 1)},
      {"Twice", sampled(30, 2)},
      {"A number", number},
      {std::string(70, 'y'), stored},
      {"Once", {.max_new_tokens = 25}}};
  const std::vector<std::function<void()>> between = {
      [] {},
      [&] { session->reset(); },
      [&] { session->prefill(lm.tokenizer().encode("Once upon a time")); },
      [&] { session->step(7); },
      [&] {
        session->save(folder / "talk");
        session->load(folder / "talk");
      },
      [&] {
        std::vector<float> rows(5 * lm.spec().vocab_size);
        session->score(lm.tokenizer().encode("Once!"), rows);
      }};
  std::vector<Generation> generations;
  for (const auto& [prompt, options] : asked)
    generations.push_back(lm.stream(session, prompt, options));
  std::vector<std::string> got(asked.size());
  Random random(5);
  for (bool growing = true; growing;) {
    growing = false;
    for (std::size_t at = 0; at < asked.size(); ++at) {
      between[random.next() % between.size()]();
      const auto piece = generations[at].next();
      if (piece) got[at] += *piece;
      growing = growing || piece;
    }
  }
  for (std::size_t at = 0; at < asked.size(); ++at) {
    INFO(at);
    CHECK(got[at] == open(tiny).generate(asked[at].first, asked[at].second));
  }
}

TEST_CASE(
    "threads that share a session, or one text, give whole texts; and others can look at them and "
    "end them") {
  const support::TinyModel tiny;
  LanguageModel lm = open(tiny);
  const std::string once = lm.generate("Once", sampled(30, 1));
  const std::string twice = lm.generate("Twice", sampled(30, 2));
  std::vector<std::string> got(6);
  std::vector<std::thread> threads;
  for (std::size_t at = 0; at < got.size(); ++at) {
    threads.emplace_back([&, at] {
      Generation generation = lm.stream(at % 2 == 0 ? "Once" : "Twice", sampled(30, at % 2 + 1));
      if (at < 4) {
        got[at] = generation.rest();
      } else {
        while (const auto piece = generation.next_copy()) got[at] += *piece;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t at = 0; at < got.size(); ++at) CHECK(got[at] == (at % 2 == 0 ? once : twice));

  Generation shared = lm.stream("Once", sampled(30, 1));
  std::atomic<bool> done{false};
  std::thread looking([&] {
    std::size_t most = 0;
    while (!done) {
      const std::size_t now = shared.tokens().size();
      CHECK(now >= most);
      most = now;
      if (now > 0) CHECK(shared.tokens().front() >= 0);
      CHECK((shared.finish_reason() == FinishReason::none) <= (now <= 30));
    }
  });
  std::mutex mutex;
  std::size_t bytes = 0;
  threads.clear();
  for (int index = 0; index < 2; ++index) {
    threads.emplace_back([&] {
      while (const auto piece = shared.next_copy()) {
        const std::lock_guard lock(mutex);
        bytes += piece->size();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  done = true;
  looking.join();
  CHECK(bytes == once.size());

  Generation ended = lm.stream("Once", sampled(80, 1));
  std::thread closing([&] {
    while (ended.tokens().empty()) std::this_thread::yield();
    ended.close();
  });
  ended.rest();
  closing.join();
  CHECK(ended.finish_reason() != FinishReason::none);
}

TEST_CASE("a text goes on after a read error as if nothing had happened") {
  const support::TinyModel tiny;
  LanguageModel whole = open(tiny);
  const std::string expected = whole.generate("Once", sampled(40, 3));

  auto opened = model::Model::open(tiny.path());
  auto reader = std::make_unique<storage::MemoryReader>(support::file_contents(opened->bundles()));
  storage::MemoryReader* seen = reader.get();
  model::EngineOptions options;
  options.memory = {0, 0.55};
  options.max_batch = 8;
  LanguageModel lm(std::make_shared<model::Engine>(opened, options, std::move(reader)),
                   std::make_shared<const text::Tokenizer>(
                       text::Tokenizer::open(tiny.path() / "tokenizer.json")));
  Generation generation = lm.stream("Once", sampled(40, 3));
  std::string got;
  int failures = 0;
  for (int round = 0; generation.finish_reason() == FinishReason::none; ++round) {
    if (round % 5 == 2) seen->fail_at(3, EIO);
    try {
      if (const auto piece = generation.next()) got += *piece;
    } catch (const IoError&) {
      ++failures;
    }
  }
  CHECK(failures > 2);
  CHECK(got == expected);
}
