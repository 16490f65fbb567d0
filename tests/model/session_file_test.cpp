// SPDX-License-Identifier: Apache-2.0
/// session_file_test.cpp: sessions and blocks of them that are saved and loaded.
#include <signal.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "flashlm/model/engine.hpp"
#include "flashlm/model/session.hpp"
#include "flashlm/storage/format/sha256.hpp"
#include "flashlm/storage/io/beside_file.hpp"
#include "flashlm/text/language_model.hpp"
#include "support/catch.hpp"
#include "support/forked.hpp"
#include "support/sessions.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_model.hpp"
#include "support/tokens.hpp"

using namespace flashlm;
using namespace flashlm::model;
using support::sessions::copy;
using support::sessions::engine;

TEST_CASE("a saved session goes on in another engine as if it had never stopped, bit for bit") {
  auto shape = support::TinyShape::of(
      GENERATE(DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0));
  const support::TinyModel tiny(shape);
  const support::TempFolder folder;
  const std::vector<Token> tokens = support::random_tokens(60);
  Session fresh(engine(tiny));
  const std::vector<float> expected = copy(fresh.prefill(tokens));
  for (const std::size_t n : {1, 17, 59, 60}) {
    {
      Session session(engine(tiny));
      session.prefill(std::span(tokens).first(n));
      session.save(folder / "talk.kv");
    }
    EngineOptions other;
    other.memory = {0, 1.0};
    other.context = 70;
    Session loaded(std::make_shared<Engine>(Model::open(tiny.path()), other));
    loaded.load(folder / "talk.kv");
    CHECK(std::ranges::equal(loaded.tokens(), std::span(tokens).first(n)));
    CHECK(copy(loaded.prefill(tokens)) == expected);
    CHECK(loaded.stats().reused_tokens == std::min<std::size_t>(n, 59));
  }
  CHECK(folder.names() == std::vector<std::string>{"talk.kv"});
}

TEST_CASE("an empty session is saved and loaded as one") {
  const support::TinyModel tiny;
  const support::TempFolder folder;
  auto shared = engine(tiny);
  Session(shared).save(folder / "empty.kv");
  Session session(shared);
  session.prefill(support::random_tokens(5));
  session.load(folder / "empty.kv");
  CHECK(session.tokens().empty());
}

TEST_CASE("a file that cannot be loaded leaves the session as it was") {
  const support::TinyModel tiny;
  const support::TempFolder folder;
  auto shared = engine(tiny);
  const std::vector<Token> tokens = support::random_tokens(30);
  Session saved(shared);
  saved.prefill(support::random_tokens(20, 8));
  saved.save(folder / "good.kv");
  std::vector<std::byte> bytes = support::content(folder / "good.kv");
  for (const std::size_t at :
       {std::size_t{3}, std::size_t{20}, std::size_t{130}, std::size_t{4096}, bytes.size() - 1}) {
    std::vector<std::byte> bad = bytes;
    bad[at] ^= std::byte{1};
    support::put(folder / "bad.kv", bad);
    Session session(shared);
    session.prefill(std::span(tokens).first(25));
    CHECK_THROWS_AS(session.load(folder / "bad.kv"), FormatError);
    CHECK(session.tokens().size() == 25);
    CHECK(copy(session.prefill(tokens)) == copy(Session(shared).prefill(tokens)));
    Session empty(shared);
    CHECK_THROWS_AS(empty.load(folder / "bad.kv"), FormatError);
    CHECK(empty.tokens().empty());
    CHECK(copy(empty.prefill(tokens)) == copy(session.prefill(tokens)));
  }
  Session session(shared);
  session.prefill(tokens);
  CHECK_THROWS_AS(session.load(folder / "none.kv"), IoError);

  EngineOptions small;
  small.context = 19;
  Session short_one(std::make_shared<Engine>(Model::open(tiny.path()), small));
  short_one.prefill(std::span(tokens).first(3));
  CHECK_THROWS_AS(short_one.load(folder / "good.kv"), ShapeError);
  CHECK(short_one.tokens().size() == 3);

  support::TinyShape other;
  other.seed = 7;
  const support::TinyModel stranger(other);
  Session strange(engine(stranger));
  CHECK_THROWS_WITH(strange.load(folder / "good.kv"),
                    Catch::Matchers::ContainsSubstring("another model"));

  saved.save_block(folder / "block.kv", 4, 8, {});
  CHECK_THROWS_AS(session.load(folder / "block.kv"), FormatError);
  CHECK(session.tokens().size() == 30);
}

TEST_CASE("a block continues the text it belongs to, and no other") {
  const support::TinyModel tiny;
  const support::TempFolder folder;
  auto shared = engine(tiny);
  const std::vector<Token> tokens = support::random_tokens(40);
  Session first(shared);
  const std::vector<float> expected = copy(first.prefill(tokens));
  const storage::Digest before = [&] {
    storage::Sha256 hash;
    hash.update(std::as_bytes(std::span(tokens).first(8)));
    return hash.digest();
  }();
  first.save_block(folder / "a.kv", 8, 16, before);

  Session second(shared);
  second.prefill(std::span(tokens).first(13));
  second.load_block(folder / "a.kv", tokens, 8, 16, before);
  CHECK(second.tokens().size() == 24);
  CHECK(copy(second.prefill(tokens)) == expected);

  Session third(shared);
  third.prefill(std::span(tokens).first(13));
  std::vector<Token> different = tokens;
  different[20] ^= 1;
  CHECK_THROWS_AS(third.load_block(folder / "a.kv", different, 8, 16, before), FormatError);
  CHECK_THROWS_AS(third.load_block(folder / "a.kv", tokens, 8, 16, {}), FormatError);
  CHECK_THROWS_AS(third.load_block(folder / "a.kv", tokens, 8, 15, before), FormatError);
  CHECK(third.tokens().size() == 13);
  std::vector<std::byte> bytes = support::content(folder / "a.kv");
  bytes[bytes.size() - 9] ^= std::byte{4};
  support::put(folder / "a.kv", bytes);
  CHECK_THROWS_AS(third.load_block(folder / "a.kv", tokens, 8, 16, before), FormatError);
  CHECK(third.tokens().size() >= 8);
  CHECK(copy(third.prefill(tokens)) == expected);
}

TEST_CASE("what a killed save left goes when the session is saved or loaded there again") {
  const support::TinyModel tiny;
  const support::TempFolder folder(support::memory_folder());
  Session session(engine(tiny));
  session.prefill(support::random_tokens(20, 1));
  const auto save_and_die = [&] {
    CHECK(support::in_child([&]() -> int {
            const storage::BesideFile beside(folder / "talk");
            support::put(beside.path(), "half of a session");
            ::raise(SIGKILL);
            return 0;
          }) == -SIGKILL);
    REQUIRE(folder.names().size() == 1 + (std::filesystem::exists(folder / "talk") ? 1 : 0));
  };
  save_and_die();
  session.save(folder / "talk");
  CHECK(folder.names() == std::vector<std::string>{"talk"});
  save_and_die();
  session.load(folder / "talk");
  CHECK(folder.names() == std::vector<std::string>{"talk"});
}

TEST_CASE("a language model loads a session as a new conversation") {
  const support::TinyModel tiny({.context = 500});
  const support::TempFolder folder;
  text::LanguageModel lm =
      text::LanguageModel::open(tiny.path(), {.memory = "70%", .n_threads = 1});
  const auto session = lm.session();
  const std::string text = lm.stream(session, "Once upon", {.max_new_tokens = 30}).rest();
  session->save(folder / "talk.kv");
  const auto loaded = lm.load_session(folder / "talk.kv");
  CHECK(std::ranges::equal(loaded->tokens(), session->tokens()));
  const std::string next = "Once upon" + text + "x";
  CHECK(lm.stream(loaded, next, {.max_new_tokens = 30}).rest() ==
        lm.stream(session, next, {.max_new_tokens = 30}).rest());
  CHECK_THROWS_AS(lm.load_session(folder / "none"), IoError);
}
