// SPDX-License-Identifier: Apache-2.0
/// kv_store.ipp: the bodies of kv_store.hpp.
#pragma once

#include "flashlm/model/kv_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <tuple>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/io/file_lock.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_ONCE KvStore::KvStore(std::filesystem::path folder, std::uint64_t max_bytes,
                              Warning on_warning)
    : folder_(std::move(folder)), max_bytes_(max_bytes), on_warning_(std::move(on_warning)) {
  if (max_bytes == 0) throw ArgumentError("[kv_store] max_bytes: expected 1 or more, got 0");
  make_folder(folder_);
}

FLASHLM_ONCE std::span<const float> KvStore::prefill(model::Session& session,
                                                     std::span<const Token> tokens,
                                                     const model::Session::Progress& on_progress) {
  if (tokens.size() > session.context())
    return session.prefill(tokens, on_progress);  // which refuses them
  Text text = text_of(session, tokens);
  restore(session, text);
  return session.prefill(tokens, [&](std::size_t done, std::size_t total) {
    store(session, text, done == total ? kPatience : std::chrono::milliseconds{0});
    if (on_progress) on_progress(done, total);
  });
}

FLASHLM_ONCE KvStoreStats KvStore::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

FLASHLM_ONCE KvStore::Text KvStore::text_of(const model::Session& session,
                                            std::span<const Token> tokens) const {
  Text text{tokens, {}, folder_ / storage::hex(std::span(session.fingerprint()).first(16))};
  text.used = std::chrono::duration_cast<std::chrono::microseconds>(
                  std::chrono::system_clock::now().time_since_epoch())
                  .count();
  storage::Sha256 hash;
  storage::Digest before = hash.digest();
  for (std::size_t first = 0; first + kBlockTokens <= tokens.size(); first += kBlockTokens) {
    hash.update(std::as_bytes(tokens.subspan(first, kBlockTokens)));
    const storage::Digest all = hash.digest();
    const std::string index = std::to_string(text.blocks.size());
    const std::string name = concat(std::string(8 - std::min<std::size_t>(8, index.size()), '0'),
                                    index, '-', storage::hex(std::span(all).first(16)), ".kv");
    text.blocks.push_back({text.folder / name, before});
    before = all;
  }
  return text;
}

FLASHLM_ONCE void KvStore::restore(model::Session& session, Text& text) {
  std::size_t block = session.common_prefix(text.tokens) / kBlockTokens;
  const std::size_t had = block;
  bool damaged = false;
  std::string problem;
  for (; block < text.blocks.size(); ++block) {
    const auto& [path, before] = text.blocks[block];
    try {
      session.load_block(path, text.tokens, block * kBlockTokens, kBlockTokens, before);
    } catch (const IoError& error) {
      if (error.code() != ENOENT) problem = error.what();
      break;
    } catch (const FormatError& error) {
      damaged = true;
      problem = concat(error.what(), ". It is removed and computed again.");
      ::unlink(path.c_str());
      break;
    }
  }
  for (std::size_t at = 0; at < block; ++at) touch(text, at);
  count([&](KvStoreStats& stats) {
    stats.loaded_tokens += (block - had) * kBlockTokens;
    stats.damaged_blocks += damaged ? 1 : 0;
  });
  if (!problem.empty()) warn(problem);
}

FLASHLM_ONCE void KvStore::store(const model::Session& session, Text& text,
                                 std::chrono::milliseconds patience) {
  const std::size_t n = std::min(session.tokens().size() / kBlockTokens, text.blocks.size());
  std::error_code ignored;
  while (text.n_stored < n && std::filesystem::exists(text.blocks[text.n_stored].path, ignored))
    ++text.n_stored;
  if (text.gave_up || text.n_stored >= n) return;
  std::string problem;
  try {
    make_folder(folder_);
    const auto lock = storage::FileLock::acquire(folder_ / "lock", patience);
    if (!lock) return;
    make_folder(text.folder);
    std::vector<Entry> entries = scan();
    std::unordered_set<std::string> own;
    for (const Block& block : text.blocks) own.insert(block.path.string());
    const std::uint64_t bytes = session.file_bytes(kBlockTokens);
    for (; text.n_stored < n; ++text.n_stored) {
      const auto& [path, before] = text.blocks[text.n_stored];
      if (std::filesystem::exists(path, ignored)) continue;
      if (!make_room(entries, bytes, own)) {
        text.gave_up = true;
        return;
      }
      session.save_block(path, text.n_stored * kBlockTokens, kBlockTokens, before);
      touch(text, text.n_stored);
      entries.push_back({text.used * 1000, path.filename().string(), path, bytes});
      count([](KvStoreStats& stats) { stats.stored_tokens += kBlockTokens; });
    }
  } catch (const IoError& error) {
    text.gave_up = true;
    problem = error.what();
  } catch (const std::filesystem::filesystem_error& error) {
    text.gave_up = true;
    problem = concat("[kv_store] cannot list the blocks: ", error.what());
  }
  if (!problem.empty()) warn(problem);
}

FLASHLM_ONCE std::vector<KvStore::Entry> KvStore::scan() const {
  std::vector<Entry> entries;
  for (const auto& model : std::filesystem::directory_iterator(folder_)) {
    if (!is_name(model.path().filename().string(), 0)) continue;
    std::error_code ignored;
    for (const auto& file : std::filesystem::directory_iterator(model.path(), ignored)) {
      const std::string name = file.path().filename().string();
      const std::size_t end = name.find(".kv");
      if (end == std::string::npos || !is_name(name.substr(0, end), 9)) continue;
      struct stat status{};
      if (name.substr(end).starts_with(".kv.part-")) {
        ::unlink(file.path().c_str());
      } else if (name.ends_with(".kv") && ::lstat(file.path().c_str(), &status) == 0 &&
                 S_ISREG(status.st_mode)) {
#if defined(__APPLE__)
        const timespec& time = status.st_mtimespec;
#else
        const timespec& time = status.st_mtim;
#endif
        entries.push_back({std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec, name,
                           file.path(), static_cast<std::uint64_t>(status.st_size)});
      }
    }
  }
  return entries;
}

FLASHLM_ONCE bool KvStore::make_room(std::vector<Entry>& entries, std::uint64_t bytes,
                                     const std::unordered_set<std::string>& own) {
  std::uint64_t total = 0;
  for (const Entry& entry : entries) total += entry.bytes;
  if (bytes > max_bytes_) return false;
  if (total <= max_bytes_ - bytes) return true;
  // The oldest last; of two that were used together, the later block of a text goes first.
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(b.used, a.name) < std::tie(a.used, b.name);
  });
  for (std::size_t at = entries.size(); at > 0 && total > max_bytes_ - bytes; --at) {
    const Entry entry = entries[at - 1];
    if (own.contains(entry.path.string())) continue;
    if (::unlink(entry.path.c_str()) != 0 && errno != ENOENT) continue;
    total -= entry.bytes;
    entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(at - 1));
    count([](KvStoreStats& stats) { ++stats.removed_blocks; });
  }
  return total <= max_bytes_ - bytes;
}

FLASHLM_ONCE void KvStore::touch(const Text& text, std::size_t block) noexcept {
  const std::int64_t time = text.used - static_cast<std::int64_t>(block);
  const timespec at{static_cast<time_t>(time / 1'000'000),
                    static_cast<long>(time % 1'000'000 * 1000)};
  const timespec times[2] = {at, at};
  ::utimensat(AT_FDCWD, text.blocks[block].path.c_str(), times, 0);
}

FLASHLM_ONCE bool KvStore::is_name(const std::string& name, std::size_t prefix) {
  return name.size() == prefix + 32 &&
         name.find_first_not_of("0123456789abcdef", prefix) == std::string::npos;
}

FLASHLM_ONCE void KvStore::make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::create_directories(folder, error) && !error) return;
  if (!error) std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  if (error) throw IoError("[kv_store] cannot make the folder", error.value(), folder.string());
}

FLASHLM_ONCE void KvStore::warn(const std::string& problem) const {
  if (on_warning_) on_warning_(problem);
}

}  // namespace flashlm::inline FLASHLM_ABI::text
