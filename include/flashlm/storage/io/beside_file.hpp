// SPDX-License-Identifier: Apache-2.0
/// beside_file.hpp: a file that is written beside its place, and what killed processes left of such
/// files.
#pragma once

#include <atomic>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "flashlm/base/process.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

namespace detail {

/// Removes what stands at `path` if it is this user's and was left by a writer that is gone: every
/// writer of ours holds a lock on what it writes, which ends with the process, however that ends.
/// (The number of a process would not tell: it is used again.)
void remove_if_abandoned(const std::filesystem::path& path, bool folders);

}  // namespace detail

/// Holds the lock that says "not abandoned" as long as `fd`, a new file, is open; false if it was
/// removed before.
///
/// Where the file system has no locks nothing is held: nobody takes a file for abandoned there
/// either.
bool claim(int fd) noexcept;

/// Removes the files of `folder`, and its folders if so wanted, whose names begin with `prefix`,
/// end in characters of `tail`, one or more, and whose writers are gone. What cannot be looked at
/// or removed stays.
///
/// On a file system that other machines share a lock may not be seen: there only what is a day old
/// goes.
inline void remove_abandoned(const std::filesystem::path& folder, std::string_view prefix,
                             std::string_view tail, bool folders = false) noexcept try {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(
           folder.empty() ? std::filesystem::path(".") : folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.size() <= prefix.size() || !name.starts_with(prefix)) continue;
    if (name.find_first_not_of(tail, prefix.size()) != std::string::npos) continue;
    detail::remove_if_abandoned(entry.path(), folders);
  }
} catch (const std::exception&) {
  // A folder that changes meanwhile, or no memory: the next writer sees to it.
}

/// An empty file beside `target`, to be written by its name, that takes the target's place as a
/// whole or goes again.
///
/// Files that killed processes left beside the same target go first. Thread-safe, in that each has
/// a name of its own.
class BesideFile {
 public:
  /// Throws IoError if it cannot be made.
  explicit BesideFile(std::filesystem::path target);

  BesideFile(const BesideFile&) = delete;
  BesideFile& operator=(const BesideFile&) = delete;
  ~BesideFile();

  /// Where to write.
  const std::filesystem::path& path() const noexcept { return path_; }

  /// The written file takes the target's place. Throws IoError; what stood there is then untouched.
  void replace();

  /// Removes what killed processes left beside `target`.
  static void remove_leftovers(const std::filesystem::path& target) noexcept try {
    remove_abandoned(target.parent_path(), target.filename().string() + kSuffix, "0123456789-");
  } catch (const std::exception&) {
    // No memory for a name.
  }

 private:
  static constexpr const char* kSuffix = ".part-";
  static constexpr int kAttempts = 100;

  static std::atomic<unsigned>& counter() noexcept;

  Origin origin_;
  std::filesystem::path target_;
  std::filesystem::path path_;
  int fd_ = -1;
  bool replaced_ = false;
};

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/io/beside_file.ipp"
#endif
