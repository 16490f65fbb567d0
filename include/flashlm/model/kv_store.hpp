// SPDX-License-Identifier: Apache-2.0
/// kv_store.hpp: keys and values that outlive the process, found again by the tokens they belong
/// to.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "flashlm/base/process.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/model/session.hpp"
#include "flashlm/storage/format/sha256.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// What a store has done since it was opened.
struct KvStoreStats {
  std::uint64_t loaded_tokens = 0;   // that no prefill had to compute
  std::uint64_t stored_tokens = 0;   // written
  std::uint64_t removed_blocks = 0;  // to make room
  std::uint64_t damaged_blocks = 0;  // found, removed, never used
};

/// A folder of computed prompts (docs/format.md, "The KV store").
///
/// A text is kept in blocks of 64 tokens, each named by all tokens up to its end, so texts that
/// begin alike share their beginning and the longest stored prefix is found. A block that is
/// missing, damaged or of another text is computed again: the store changes times, never results.
/// What goes wrong with it is told to `on_warning` and stops nothing.
///
/// Thread-safe, and processes may share a folder.
class KvStore {
 public:
  static constexpr std::size_t kBlockTokens = 64;

  /// May throw; the call that found the problem then ends with that, and its session can be used.
  using Warning = std::function<void(const std::string&)>;

  /// Makes the folder, for this user only, since it holds what was read. `max_bytes` bounds all
  /// files of all models.
  ///
  /// Throws IoError, or ArgumentError for 0 bytes.
  KvStore(std::filesystem::path folder, std::uint64_t max_bytes, Warning on_warning = {});

  /// Session::prefill, with what the store knows of `tokens`; what is computed is stored after
  /// every batch.
  ///
  /// So a prompt that is interrupted goes on later from its last whole block, in any process.
  /// Throws as Session::prefill does, and what on_progress throws.
  std::span<const float> prefill(model::Session& session, std::span<const Token> tokens,
                                 const model::Session::Progress& on_progress = {});

  const std::filesystem::path& folder() const noexcept { return folder_; }
  std::uint64_t max_bytes() const noexcept { return max_bytes_; }
  KvStoreStats stats() const;

 private:
  static constexpr std::chrono::milliseconds kPatience{2000};

  struct Block {
    std::filesystem::path path;
    storage::Digest before;  // of the tokens before the block
  };

  /// The blocks that a text fills.
  struct Text {
    std::span<const Token> tokens;
    std::vector<Block> blocks;
    std::filesystem::path folder;
    std::size_t n_stored = 0;  // blocks from the beginning that need no look any more
    std::int64_t used = 0;     // when, microseconds since 1970
    bool gave_up = false;      // there is no room, or writing fails
  };

  /// A file of the store.
  struct Entry {
    std::int64_t used;  // nanoseconds
    std::string name;
    std::filesystem::path path;
    std::uint64_t bytes;
  };

  Text text_of(const model::Session& session, std::span<const Token> tokens) const;

  /// Loads the blocks behind what the session has of the text already, until one is missing.
  void restore(model::Session& session, Text& text);

  /// Writes the whole blocks of the session that are not here. Does nothing if others write for
  /// longer than `patience`.
  void store(const model::Session& session, Text& text, std::chrono::milliseconds patience);

  /// Every block of every model. Held by the lock, nobody writes: what is unfinished was left by a
  /// crash and goes.
  std::vector<Entry> scan() const;

  /// Removes what was not used for longest until `bytes` more fit. False if only `own` is left to
  /// remove.
  bool make_room(std::vector<Entry>& entries, std::uint64_t bytes,
                 const std::unordered_set<std::string>& own);

  /// Marks a block as used, the later ones of a text a little earlier: without its beginning a text
  /// cannot be found.
  static void touch(const Text& text, std::size_t block) noexcept;

  /// 32 hexadecimal digits, behind `prefix` other characters.
  static bool is_name(const std::string& name, std::size_t prefix);

  static void make_folder(const std::filesystem::path& folder);

  template <class Change>
  void count(Change change) {
    const std::lock_guard lock(mutex_);
    change(stats_);
  }

  void warn(const std::string& problem) const;

  std::filesystem::path folder_;
  std::uint64_t max_bytes_;
  Warning on_warning_;
  mutable ForkMutex mutex_;
  KvStoreStats stats_;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/kv_store.ipp"
#endif
