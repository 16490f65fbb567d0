// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/session.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "flashlm/model/engine.hpp"
#include "support/bundle_fixture.hpp"
#include "support/catch.hpp"
#include "support/forked.hpp"
#include "support/readers.hpp"
#include "support/sessions.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_model.hpp"
#include "support/tokens.hpp"

using namespace flashlm;
using namespace flashlm::model;
using support::sessions::copy;
using support::sessions::engine;

TEST_CASE("a prompt gives the same logits whole, cut anywhere, or continued from another prompt") {
  const support::TinyModel tiny;
  auto shared = engine(tiny);
  const std::vector<Token> tokens = support::random_tokens(30);
  Session fresh(shared);
  const std::vector<float> expected = copy(fresh.prefill(tokens));
  for (std::size_t cut = 1; cut < tokens.size(); ++cut) {
    Session session(shared);
    session.prefill(std::span(tokens).first(cut));
    CHECK(copy(session.prefill(tokens)) == expected);
    CHECK(session.stats().reused_tokens == cut);
  }
  Session other(shared);
  std::vector<Token> different = tokens;
  different[17] ^= 1;
  other.prefill(different);
  CHECK(copy(other.prefill(tokens)) == expected);
  CHECK(other.stats().reused_tokens == 17);
  Session stepped(shared);
  stepped.prefill(std::span(tokens).first(20));
  for (std::size_t at = 20; at + 1 < tokens.size(); ++at) stepped.step(tokens[at]);
  CHECK(copy(stepped.step(tokens.back())) == expected);
}

TEST_CASE("the same prompt again computes its last token only") {
  const support::TinyModel tiny;
  Session session(engine(tiny));
  const std::vector<Token> tokens = support::random_tokens(12);
  const std::vector<float> first = copy(session.prefill(tokens));
  CHECK(copy(session.prefill(tokens)) == first);
  CHECK(session.stats().reused_tokens == 11);
  CHECK(session.stats().prefill_tokens == 13);
  CHECK(session.tokens().size() == 12);
}

TEST_CASE("score gives the logits after every token") {
  const support::TinyModel tiny;
  Session session(engine(tiny));
  const std::vector<Token> tokens = support::random_tokens(21);
  std::vector<float> rows(tokens.size() * 257);
  session.score(tokens, rows);
  for (std::size_t n = 1; n <= tokens.size(); n += 5) {
    const std::vector<float> expected = copy(session.prefill(std::span(tokens).first(n)));
    CHECK(std::memcmp(rows.data() + (n - 1) * 257, expected.data(), 257 * sizeof(float)) == 0);
  }
}

TEST_CASE(
    "a prompt beyond the context is a ShapeError with both numbers, and the session goes on") {
  const support::TinyModel tiny;
  Session session(engine(tiny));
  try {
    session.prefill(support::random_tokens(97));
    FAIL("expected a ShapeError");
  } catch (const ShapeError& error) {
    CHECK_THAT(error.what(), Catch::Matchers::Contains("expected 1 to 96 tokens, got 97"));
  }
  CHECK_THROWS_AS(session.prefill({}), ShapeError);
  session.prefill(support::random_tokens(96));
  CHECK_THROWS_AS(session.step(1), ShapeError);
  CHECK(session.tokens().size() == 96);
  std::vector<float> rows(97 * 257);
  CHECK_THROWS_AS(session.score(support::random_tokens(97), rows), ShapeError);
  CHECK_THROWS_AS(session.score(support::random_tokens(2), rows), ShapeError);
  session.reset();
  CHECK(session.tokens().empty());
  CHECK_NOTHROW(session.prefill(support::random_tokens(3)));
}

TEST_CASE("a prompt that is stopped keeps what was computed and goes on later") {
  const support::TinyModel tiny;
  auto shared = engine(tiny);
  const std::vector<Token> tokens = support::random_tokens(40);
  Session session(shared);
  struct Stop {};
  std::vector<std::size_t> seen;
  const auto stop = [&](std::size_t done, std::size_t total) {
    CHECK(total == 40);
    seen.push_back(done);
    if (done >= 16) throw Stop();
  };
  CHECK_THROWS_AS(session.prefill(tokens, stop), Stop);
  CHECK(seen == std::vector<std::size_t>{8, 16});
  CHECK(session.tokens().size() == 16);
  Session fresh(shared);
  CHECK(copy(session.prefill(tokens)) == copy(fresh.prefill(tokens)));
  CHECK(session.stats().reused_tokens == 16);
}

TEST_CASE("a session whose step failed goes on as if nothing had happened") {
  const support::TinyModel tiny;
  auto opened = Model::open(tiny.path());
  auto reader = std::make_unique<storage::MemoryReader>(support::file_contents(opened->bundles()));
  storage::MemoryReader* seen = reader.get();
  EngineOptions options;
  options.memory = {0, 0.55};
  auto shared = std::make_shared<Engine>(opened, options, std::move(reader));
  const std::vector<Token> tokens = support::random_tokens(10);
  Session clean(shared);
  const std::vector<float> expected = copy(clean.prefill(tokens));

  Session session(shared);
  session.prefill(std::span(tokens).first(9));
  seen->fail_at(1, EIO);
  // The failing read is one that was read ahead: it is met in this step or in the next.
  bool failed = false;
  for (int attempt = 0; attempt < 4 && !failed; ++attempt) {
    try {
      session.prefill(std::span(tokens).first(9));
    } catch (const IoError&) {
      failed = true;
    }
  }
  CHECK(failed);
  CHECK(copy(session.prefill(tokens)) == expected);
}

TEST_CASE(
    "sessions in several threads take turns, and give the logits that they would give alone") {
  const support::TinyModel tiny;
  auto shared = engine(tiny);
  std::vector<std::vector<float>> expected, got(4);
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    Session session(shared);
    expected.push_back(copy(session.prefill(support::random_tokens(20, seed))));
  }
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] {
      Session session(shared);
      session.prefill(support::random_tokens(19, seed));
      got[seed] = copy(session.step(support::random_tokens(20, seed).back()));
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(got == expected);
}

TEST_CASE("a session gives its place back") {
  const support::TinyModel tiny;
  auto shared = engine(tiny);
  const std::size_t before = shared->memory_plan().sessions;
  for (int at = 0; at < 5; ++at) Session session(shared);
  CHECK(shared->memory_plan().sessions == before);
}

TEST_CASE("a forked child cannot compute, and ends; the parent goes on, bit for bit") {
  const support::TinyModel tiny;
  const support::TempFolder folder;
  const auto prompt = support::random_tokens(20, 1);
  for (const char* reader : {"threads", "uring"}) {
    if (std::string(reader) == "uring" && !support::uring_allowed()) continue;
    for (const double share : {0.6, 1.0}) {
      INFO(reader << ", " << share);
      EngineOptions options;
      options.memory = {0, share};
      options.max_batch = 8;
      options.reader = reader;
      options.n_threads = 2;
      auto shared = std::make_shared<Engine>(Model::open(tiny.path()), options);
      auto session = std::make_unique<Session>(shared);
      session->prefill(prompt);
      session->save(folder / "talk");
      const auto expected = copy(session->step(3));
      session->prefill(prompt);
      std::atomic<bool> stop{false};
      std::thread busy([&] {
        Session own(shared);
        while (!stop) own.prefill(support::random_tokens(12, own.stats().tokens));
      });
      for (int round = 0; round < 10; ++round) {
        CHECK(support::in_child([&] {
                using support::says_it_is_a_fork;
                if (!says_it_is_a_fork([&] { session->step(3); })) return 1;
                if (!says_it_is_a_fork([&] { session->prefill(prompt); })) return 2;
                if (!says_it_is_a_fork([&] { session->save(folder / "other"); })) return 3;
                if (!says_it_is_a_fork([&] { session->load(folder / "talk"); })) return 4;
                if (!says_it_is_a_fork([&] { const Session own(shared); })) return 5;
                if (!says_it_is_a_fork([&] { shared->observe({}); })) return 6;
                if (session->stats().prefill_tokens == 0 || session->copy_tokens().empty())
                  return 7;
                if (shared->memory_plan().total == 0) return 8;
                // What was being changed at the fork is left alone, as LanguageModel's sessions and
                // engine are.
                if (session->is_torn()) return 0;
                session.reset();
                shared.reset();
                return 0;
              }) == 0);
      }
      stop = true;
      busy.join();
      CHECK(copy(session->step(3)) == expected);
    }
  }
}

TEST_CASE("a session can be looked at, and others dropped, while it computes") {
  const support::TinyModel tiny;
  const auto shared = engine(tiny);
  Session session(shared);
  const auto prompt = support::random_tokens(60, 1);
  std::atomic<bool> stop{false};
  std::thread looking([&] {
    while (!stop) {
      CHECK(session.copy_tokens().size() <= 60);
      CHECK(session.stats().prefill_tokens % 4 == 0);
      CHECK(shared->memory_plan().total > 0);
      const Session dropped(shared);
    }
  });
  for (int round = 0; round < 30; ++round) {
    session.prefill(prompt);
    session.reset();
  }
  stop = true;
  looking.join();
}
