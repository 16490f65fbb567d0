// SPDX-License-Identifier: Apache-2.0
/// scratch_file.hpp: a file to measure a disk with.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/process.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/base/units.hpp"
#include "flashlm/storage/beside_file.hpp"
#include "flashlm/storage/file_writer.hpp"

namespace flashlm::inline v0::storage {

/// A new file of random bytes in a folder; it is gone with this object.
///
/// A process that is killed leaves it behind, as `.flashlm-scratch-` and six letters; the next one in the folder
/// removes it.
class ScratchFile {
 public:
  static constexpr std::uint64_t kLeastBytes = std::uint64_t{64} << 20;

  /// Writes until `bytes` are on the disk, or `kLeastBytes` of them after `seconds`. Calls `between` often; it may
  /// throw.
  ///
  /// Throws IoError, with ENOSPC if there is no room.
  ScratchFile(const std::filesystem::path& folder, std::uint64_t bytes, double seconds,
              const std::function<void()>& between) {
    remove_abandoned(folder, kPrefix, kLetters);
    std::error_code problem;
    const std::uint64_t room = std::filesystem::space(folder, problem).available;
    if (problem) throw IoError("[scratch_file] cannot look at the folder", problem.value(), folder.string());
    if (room < bytes) {
      throw IoError(concat("[scratch_file] free space: expected ", format_bytes(bytes), ", got ", format_bytes(room)),
                    ENOSPC, folder.string());
    }
    path_ = (folder / kPrefix).string() + "XXXXXX";
    fd_ = ::mkstemp(path_.data());
    if (fd_ < 0) throw IoError("[scratch_file] cannot create", errno, folder.string());
    try {
      if (!claim(fd_)) throw IoError("[scratch_file] cannot lock", EBUSY, path_);
      fill(bytes, now_seconds() + seconds, between);
    } catch (...) {
      remove();
      throw;
    }
  }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile() { remove(); }

  const std::string& path() const noexcept { return path_; }

 private:
  static constexpr const char* kPrefix = ".flashlm-scratch-";
  static constexpr const char* kLetters =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";  // mkstemp's

  void fill(std::uint64_t bytes, double until, const std::function<void()>& between) {
    // Random, and new in every piece: devices must not compress it.
    Random random(static_cast<std::uint64_t>(until * 1e9));
    std::vector<std::uint64_t> piece((std::size_t{16} << 20) / sizeof(std::uint64_t));
    for (std::uint64_t done = 0; done < bytes && (done < kLeastBytes || now_seconds() < until);) {
      between();
      for (std::uint64_t& word : piece) word = random.next();
      auto rest = std::as_bytes(std::span(piece));
      rest = rest.first(static_cast<std::size_t>(std::min<std::uint64_t>(rest.size(), bytes - done)));
      done += rest.size();
      while (!rest.empty()) {
        const ssize_t n = ::write(fd_, rest.data(), rest.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) throw IoError("[scratch_file] cannot write", n < 0 ? errno : ENOSPC, path_);
        rest = rest.subspan(static_cast<std::size_t>(n));
      }
      // Piece by piece: one sync at the end could take any time.
      if (FileWriter::sync(fd_) != 0) throw IoError("[scratch_file] cannot sync", errno, path_);
    }
  }

  void remove() noexcept {
    if (origin_.is_here()) ::unlink(path_.c_str());
    ::close(fd_);
  }

  Origin origin_;
  std::string path_;
  int fd_ = -1;
};

}  // namespace flashlm::inline v0::storage
