// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/kv_store.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "flashlm/model/engine.hpp"
#include "flashlm/text/language_model.hpp"
#include "support/allocation_counter.hpp"
#include "support/catch.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_model.hpp"
#include "support/tokens.hpp"

using namespace flashlm;
using model::Engine;
using model::EngineOptions;
using model::Session;
using text::KvStore;

namespace {

constexpr std::uint64_t kPlenty = std::uint64_t{1} << 30;

support::TinyShape long_shape() {
  support::TinyShape shape;
  shape.context = 500;
  return shape;
}

std::shared_ptr<Engine> engine(const support::TinyModel& tiny, std::size_t max_batch = 100) {
  EngineOptions options;
  options.memory = {0, 0.7};
  options.max_batch = max_batch;
  options.n_threads = 1;
  return std::make_shared<Engine>(model::Model::open(tiny.path()), options);
}

std::vector<float> copy(std::span<const float> logits) { return {logits.begin(), logits.end()}; }

std::vector<float> fresh(const std::shared_ptr<Engine>& engine, std::span<const Token> tokens) {
  Session session(engine);
  return copy(session.prefill(tokens));
}

std::vector<std::filesystem::path> blocks(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().filename() != "lock") found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::uint64_t total_bytes(const std::filesystem::path& folder) {
  std::uint64_t total = 0;
  for (const auto& path : blocks(folder)) total += std::filesystem::file_size(path);
  return total;
}

/// Sets the time of last use back.
void age(const std::filesystem::path& path, int seconds) {
  std::filesystem::last_write_time(
      path, std::filesystem::last_write_time(path) - std::chrono::seconds(seconds));
}

}  // namespace

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
    "the store keeps its size: what was not used for longest goes first, ends before beginnings") {
  const support::TinyModel tiny(long_shape());
  const support::TempFolder folder(support::memory_folder());
  auto shared = engine(tiny);
  const std::uint64_t block = Session(shared).file_bytes(64);
  KvStore store(folder / "kv", 6 * block + block / 2);
  const auto read = [&](std::size_t n, std::uint64_t seed) {
    const std::vector<Token> tokens = support::random_tokens(n, seed);
    const std::uint64_t before = store.stats().loaded_tokens;
    Session session(shared);
    CHECK(copy(store.prefill(session, tokens)) == fresh(shared, tokens));
    CHECK(total_bytes(folder / "kv") <= 6 * block);
    return store.stats().loaded_tokens - before;
  };
  CHECK(read(200, 1) == 0);  // 3 blocks
  for (const auto& path : blocks(folder / "kv")) age(path, 60);
  CHECK(read(200, 2) == 0);  // 3 more: full
  for (const auto& path : blocks(folder / "kv")) age(path, 60);
  CHECK(read(200, 1) == 192);  // used again: text 2 is the oldest
  CHECK(read(128, 3) == 0);    // 2 of text 2 must go, its end first
  CHECK(read(200, 1) == 192);
  CHECK(read(64, 2) == 64);
  CHECK(store.stats().removed_blocks == 2);
  // A text that is larger than the store keeps its beginning.
  CHECK(read(500, 4) == 0);
  CHECK(read(500, 4) == 6 * 64);
  CHECK(blocks(folder / "kv").size() == 6);
}

TEST_CASE("a store smaller than a block stores nothing and stops nothing") {
  const support::TinyModel tiny(long_shape());
  const support::TempFolder folder(support::memory_folder());
  KvStore store(folder / "kv", 100);
  Session session(engine(tiny));
  const std::vector<Token> tokens = support::random_tokens(100);
  CHECK(copy(store.prefill(session, tokens)) == fresh(engine(tiny), tokens));
  CHECK(blocks(folder / "kv").empty());
  CHECK_THROWS_AS(KvStore(folder / "kv", 0), ArgumentError);
}

TEST_CASE("what a crash left unfinished is cleared, and strangers' files are not touched") {
  const support::TinyModel tiny(long_shape());
  const support::TempFolder folder(support::memory_folder());
  auto shared = engine(tiny);
  KvStore store(folder / "kv", 2 * Session(shared).file_bytes(64));
  Session session(shared);
  store.prefill(session, support::random_tokens(64));
  const std::filesystem::path file = blocks(folder / "kv").at(0);
  std::filesystem::path part = file;
  part += ".part-123-0";
  support::put(part, std::string(1000000, 'x'));
  support::put(folder / "kv" / "notes.txt", "mine");
  support::put(file.parent_path() / "notes.kv", std::string(1000000, 'x'));
  store.prefill(session, support::random_tokens(300, 9));
  CHECK(!std::filesystem::exists(part));
  CHECK(std::filesystem::exists(folder / "kv" / "notes.txt"));
  CHECK(std::filesystem::exists(file.parent_path() / "notes.kv"));
}

TEST_CASE("a folder that cannot be written is told and stops nothing") {
  const support::TinyModel tiny(long_shape());
  const support::TempFolder folder(support::memory_folder());
  std::vector<std::string> warnings;
  KvStore store(folder / "kv", kPlenty, [&](const std::string& text) { warnings.push_back(text); });
  std::filesystem::remove_all(folder / "kv");
  support::put(folder / "kv", "a file stands where the folder was");
  Session session(engine(tiny));
  const std::vector<Token> tokens = support::random_tokens(200);
  CHECK(copy(store.prefill(session, tokens)) == fresh(engine(tiny), tokens));
  CHECK(!warnings.empty());
  CHECK_THROWS_AS(KvStore(folder / "kv", kPlenty), IoError);
}

TEST_CASE("a folder that was removed comes back") {
  const support::TinyModel tiny(long_shape());
  const support::TempFolder folder(support::memory_folder());
  KvStore store(folder / "kv", kPlenty);
  std::filesystem::remove_all(folder / "kv");
  Session session(engine(tiny));
  store.prefill(session, support::random_tokens(200));
  CHECK(blocks(folder / "kv").size() == 3);
  const auto mode = std::filesystem::status(folder / "kv").permissions();
  CHECK(mode == std::filesystem::perms::owner_all);
}

TEST_CASE("processes that share a store, and are killed at any moment, never give wrong results") {
  const support::TinyModel tiny(long_shape());
  const support::TempFolder folder(support::memory_folder());
  std::uint64_t bound = 0;
  std::vector<std::vector<Token>> texts;
  std::vector<std::vector<float>> expected;
  {
    // Its threads end here, since a process with threads cannot be copied.
    auto shared = engine(tiny);
    bound = 9 * Session(shared).file_bytes(64);
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      texts.push_back(support::random_tokens(300 + 20 * seed, seed / 2));
      texts.back().back() = static_cast<Token>(seed);
      expected.push_back(fresh(shared, texts.back()));
    }
  }
  const auto work = [&](std::uint64_t seed, int turns) {
    KvStore store(folder / "kv", bound);
    auto own = engine(tiny, 64);
    for (int turn = 0; turn < turns; ++turn) {
      const std::size_t text = (seed + static_cast<std::size_t>(turn)) % texts.size();
      Session session(own);
      if (copy(store.prefill(session, texts[text])) != expected[text]) ::_exit(1);
    }
  };
  for (std::uint64_t round = 0; round < 12; ++round) {
    std::vector<pid_t> children;
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      const pid_t child = ::fork();
      if (child == 0) {
        work(seed + round, seed == 0 ? 3 : 1'000'000'000);
        ::_exit(0);
      }
      children.push_back(child);
    }
    int status = 0;
    ::waitpid(children[0], &status, 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    for (std::size_t at = 1; at < children.size(); ++at) {
      ::kill(children[at], SIGKILL);
      ::waitpid(children[at], &status, 0);
      CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    }
    work(round, 2);
    std::uint64_t total = 0;
    for (const auto& path : blocks(folder / "kv")) {
      if (path.extension() == ".kv") total += std::filesystem::file_size(path);
    }
    CHECK(total <= bound);
  }
}

TEST_CASE("threads share a store") {
  const support::TinyModel tiny(long_shape());
  const support::TempFolder folder(support::memory_folder());
  auto shared = engine(tiny);
  KvStore store(folder / "kv", kPlenty);
  const std::vector<Token> tokens = support::random_tokens(300);
  const std::vector<float> expected = fresh(shared, tokens);
  std::vector<std::unique_ptr<Session>> sessions;
  for (int at = 0; at < 4; ++at) sessions.push_back(std::make_unique<Session>(shared));
  std::vector<int> same(4, 0);
  std::vector<std::thread> threads;
  for (std::size_t at = 0; at < 4; ++at) {
    threads.emplace_back(
        [&, at] { same[at] = copy(store.prefill(*sessions[at], tokens)) == expected; });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(same == std::vector<int>{1, 1, 1, 1});
  CHECK(blocks(folder / "kv").size() == 4);
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

TEST_CASE("a language model loads a session as a new conversation") {
  const support::TinyModel tiny(long_shape());
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
