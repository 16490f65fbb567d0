// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/kv_store.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "flashlm/model/engine.hpp"
#include "flashlm/text/language_model.hpp"
#include "support/allocation_counter.hpp"
#include "support/catch.hpp"
#include "support/kv_stores.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_model.hpp"
#include "support/tokens.hpp"

using namespace flashlm;
using namespace support::kv_stores;
using model::Session;
using text::KvStore;

TEST_CASE(
    "a prompt that was stored is not computed again, and its logits are the same bit for bit") {
  support::TinyShape shape = long_shape();
  shape.dtype = GENERATE(DType::f32, DType::f16);
  const support::TinyModel tiny(shape);
  const support::TempFolder folder(support::memory_folder());
  for (const std::size_t n : {1, 63, 64, 65, 128, 300, 500}) {
    const std::vector<Token> tokens = support::random_tokens(n, n);
    const std::vector<float> expected = fresh(engine(tiny), tokens);
    {
      KvStore store(folder / "kv", kPlenty);
      Session session(engine(tiny, GENERATE(7, 100)));
      CHECK(copy(store.prefill(session, tokens)) == expected);
    }
    KvStore store(folder / "kv", kPlenty);
    Session session(engine(tiny));
    CHECK(copy(store.prefill(session, tokens)) == expected);
    const std::size_t stored = n / 64 * 64;
    CHECK(store.stats().loaded_tokens == stored);
    CHECK(session.stats().reused_tokens == std::min(stored, n - 1));
    CHECK(session.stats().prefill_tokens == std::max<std::size_t>(n - stored, 1));
  }
}

TEST_CASE("the longest stored prefix is found, and common beginnings are stored once") {
  const support::TinyModel tiny(long_shape());
  const support::TempFolder folder(support::memory_folder());
  KvStore store(folder / "kv", kPlenty);
  auto shared = engine(tiny);
  const std::vector<Token> one = support::random_tokens(300);
  Session first(shared);
  store.prefill(first, one);
  CHECK(blocks(folder / "kv").size() == 4);
  for (const std::size_t cut : {0, 1, 63, 64, 130, 255, 256, 299}) {
    std::vector<Token> other = support::random_tokens(400, 77);
    std::copy_n(one.begin(), cut, other.begin());
    if (other[cut] == one[cut]) other[cut] ^= 1;
    KvStore reopened(folder / "kv", kPlenty);
    Session session(shared);
    CHECK(copy(reopened.prefill(session, other)) == fresh(shared, other));
    CHECK(reopened.stats().loaded_tokens == cut / 64 * 64);
    CHECK(reopened.stats().stored_tokens == 384 - cut / 64 * 64);
  }
}

TEST_CASE("what the session has in memory is taken first") {
  const support::TinyModel tiny(long_shape());
  const support::TempFolder folder(support::memory_folder());
  KvStore store(folder / "kv", kPlenty);
  auto shared = engine(tiny);
  const std::vector<Token> tokens = support::random_tokens(400);
  Session writer(shared);
  store.prefill(writer, std::span(tokens).first(320));
  Session reader(shared);
  reader.prefill(std::span(tokens).first(150));
  CHECK(copy(store.prefill(reader, tokens)) == fresh(shared, tokens));
  CHECK(store.stats().loaded_tokens == 320 - 128);
  // Now everything is in memory: nothing is loaded, and one token is computed.
  store.prefill(reader, tokens);
  CHECK(store.stats().loaded_tokens == 320 - 128);
  CHECK(reader.stats().prefill_tokens == 150 + 80 + 1);
}

TEST_CASE("what a step has added is stored with the next prompt that goes on from it") {
  const support::TinyModel tiny(long_shape());
  const support::TempFolder folder(support::memory_folder());
  KvStore store(folder / "kv", kPlenty);
  auto shared = engine(tiny);
  std::vector<Token> tokens = support::random_tokens(130);
  Session session(shared);
  store.prefill(session, std::span(tokens).first(70));
  for (std::size_t at = 70; at < 129; ++at) session.step(tokens[at]);
  CHECK(blocks(folder / "kv").size() == 1);
  CHECK(copy(store.prefill(session, tokens)) == fresh(shared, tokens));
  CHECK(blocks(folder / "kv").size() == 2);
}

TEST_CASE("a prompt that is interrupted goes on in the next process from its last whole block") {
  const support::TinyModel tiny(long_shape());
  const support::TempFolder folder(support::memory_folder());
  const std::vector<Token> tokens = support::random_tokens(450);
  struct Stop {};
  {
    KvStore store(folder / "kv", kPlenty);
    Session session(engine(tiny, 50));
    const auto stop = [](std::size_t done, std::size_t total) {
      CHECK(total == 450);
      if (done == 200) throw Stop();
    };
    CHECK_THROWS_AS(store.prefill(session, tokens, stop), Stop);
  }
  KvStore store(folder / "kv", kPlenty);
  Session session(engine(tiny, 50));
  std::vector<std::size_t> seen;
  const auto logits =
      store.prefill(session, tokens, [&](std::size_t done, std::size_t) { seen.push_back(done); });
  CHECK(copy(logits) == fresh(engine(tiny), tokens));
  CHECK(store.stats().loaded_tokens == 192);
  CHECK(seen.back() == 450 - 192);
}

TEST_CASE("a damaged block is never used: it is told, removed, and written again") {
  const support::TinyModel tiny(long_shape());
  const support::TempFolder folder(support::memory_folder());
  auto shared = engine(tiny);
  const std::vector<Token> tokens = support::random_tokens(300);
  const std::vector<float> expected = fresh(shared, tokens);
  {
    KvStore store(folder / "kv", kPlenty);
    Session session(shared);
    store.prefill(session, tokens);
  }
  const std::vector<std::filesystem::path> files = blocks(folder / "kv");
  REQUIRE(files.size() == 4);
  const std::vector<std::byte> good = support::content(files[2]);
  const auto damage = [&](std::size_t kind) {
    std::vector<std::byte> bad = good;
    switch (kind) {
      case 0: bad[5] ^= std::byte{1}; break;                // magic
      case 1: bad[50] ^= std::byte{1}; break;               // head
      case 2: bad[200] ^= std::byte{1}; break;              // tokens
      case 3: bad[6000] ^= std::byte{1}; break;             // rows
      case 4: bad.back() ^= std::byte{1}; break;            // checksum
      case 5: bad.resize(bad.size() / 2); break;            // cut short
      case 6: bad.clear(); break;                           // a name without bytes
      case 7: bad.assign(bad.size(), std::byte{0}); break;  // a power cut before the bytes came
      case 8: bad = support::content(files[1]); break;      // another block under this name
      default: std::fill(bad.begin() + 5000, bad.end(), std::byte{0}); break;
    }
    support::put(files[2], bad);
  };
  for (std::size_t kind = 0; kind < 10; ++kind) {
    damage(kind);
    std::vector<std::string> warnings;
    KvStore store(folder / "kv", kPlenty,
                  [&](const std::string& text) { warnings.push_back(text); });
    Session session(shared);
    if (kind % 2 == 1)
      session.prefill(std::span(tokens).first(140));  // block 2 is then partly in memory
    CHECK(copy(store.prefill(session, tokens)) == expected);
    INFO("kind " << kind);
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0].find(files[2].filename().string()) != std::string::npos);
    CHECK(store.stats().damaged_blocks == 1);
    CHECK(support::content(files[2]) == good);
  }
}

TEST_CASE("models do not see each other's blocks") {
  const support::TempFolder folder(support::memory_folder());
  const std::vector<Token> tokens = support::random_tokens(200);
  KvStore store(folder / "kv", kPlenty);
  for (const std::uint64_t seed : {1, 2}) {
    support::TinyShape shape = long_shape();
    shape.seed = seed;
    const support::TinyModel tiny(shape);
    Session session(engine(tiny));
    CHECK(copy(store.prefill(session, tokens)) == fresh(engine(tiny), tokens));
  }
  CHECK(store.stats().loaded_tokens == 0);
  CHECK(blocks(folder / "kv").size() == 6);
}

TEST_CASE(
    "a model opened with a store uses it for every prompt, and its steps still allocate nothing") {
  const support::TinyModel tiny(long_shape());
  const support::TempFolder folder(support::memory_folder());
  const std::string prompt(200, 'p');
  std::string expected;
  for (const bool again : {false, true}) {
    text::LanguageModel lm = text::LanguageModel::open(
        tiny.path(), {.memory = "70%", .n_threads = 1, .kv_store = folder / "kv"});
    const std::string got = lm.generate(prompt, {.max_new_tokens = 20});
    if (!again) expected = got;
    CHECK(got == expected);
    CHECK(lm.kv_store()->stats().loaded_tokens == (again ? 192u : 0u));
    const auto session = lm.session();
    lm.kv_store()->prefill(*session, support::random_tokens(100));
    const std::size_t before = support::allocation_count();
    for (Token token = 0; token < 8; ++token) session->step(token);
    CHECK(support::allocation_count() == before);
  }
  text::LanguageModel without = text::LanguageModel::open(tiny.path(), {.memory = "70%"});
  CHECK(without.kv_store() == nullptr);
  CHECK(without.generate(prompt, {.max_new_tokens = 20}) == expected);
}
