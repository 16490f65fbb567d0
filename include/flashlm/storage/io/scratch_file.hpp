// SPDX-License-Identifier: Apache-2.0
/// scratch_file.hpp: a file to measure a disk with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "flashlm/base/process.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// A new file of random bytes in a folder; it is gone with this object.
///
/// A process that is killed leaves it behind, as `.flashlm-scratch-` and six letters; the next one
/// in the folder removes it.
class ScratchFile {
 public:
  static constexpr std::uint64_t kLeastBytes = std::uint64_t{64} << 20;

  /// Writes until `bytes` are on the disk, or `kLeastBytes` of them after `seconds`. Calls
  /// `between` often; it may throw.
  ///
  /// Throws IoError, with ENOSPC if there is no room.
  ScratchFile(const std::filesystem::path& folder, std::uint64_t bytes, double seconds,
              const std::function<void()>& between);
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile() { remove(); }

  const std::string& path() const noexcept { return path_; }

 private:
  static constexpr const char* kPrefix = ".flashlm-scratch-";
  static constexpr const char* kLetters =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";  // mkstemp's

  void fill(std::uint64_t bytes, double until, const std::function<void()>& between);

  void remove() noexcept;

  Origin origin_;
  std::string path_;
  int fd_ = -1;
};

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/io/scratch_file.ipp"
#endif
