// SPDX-License-Identifier: Apache-2.0
/// kv_store_folder_test.cpp: the folder of a KV store: its size, what others left in it, and how
/// it fails.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
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

namespace {

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
