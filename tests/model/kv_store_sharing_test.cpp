// SPDX-License-Identifier: Apache-2.0
/// kv_store_sharing_test.cpp: a KV store that threads and processes share.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

#include "flashlm/model/engine.hpp"
#include "flashlm/model/kv_store.hpp"
#include "support/catch.hpp"
#include "support/kv_stores.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_model.hpp"
#include "support/tokens.hpp"

using namespace flashlm;
using namespace support::kv_stores;
using model::Session;
using text::KvStore;

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
