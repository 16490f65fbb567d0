// SPDX-License-Identifier: Apache-2.0
/// file_writer.hpp: files that appear whole and stay, or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "flashlm/base/process.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// Writes a new file from its beginning to its end, in place of what stood at `path`.
///
/// All calls throw IoError if the system refuses; `code()` is ENOSPC when the disk is full. A file
/// that is not closed by `close` or `sync_and_close` is removed. Not thread-safe.
class FileWriter {
 public:
  explicit FileWriter(std::filesystem::path path);

  FileWriter(FileWriter&& other) noexcept;
  FileWriter& operator=(FileWriter&&) = delete;
  ~FileWriter() { abandon(); }

  const std::filesystem::path& path() const noexcept { return path_; }

  /// Bytes written so far.
  std::uint64_t offset() const noexcept { return offset_; }

  /// Appends `bytes`. After an error the file is incomplete and can only be dropped.
  void write(std::span<const std::byte> bytes);

  /// Goes `n` bytes on: what is left out reads as zeros, and takes no room where files can have
  /// holes.
  void skip(std::uint64_t n);

  /// Waits until the bytes are on the device, and closes.
  void sync_and_close();

  /// Waits until the bytes so far are on the device.
  void sync();

  /// The file is complete and stays. Without `sync` a power cut may take what was written.
  void close();

  /// fsync as far as the device: plain fsync stops at the drive's own cache on macOS.
  static int sync(int fd) noexcept;

 private:
  [[noreturn]] void fail(const char* verb, int code);

  void abandon() noexcept;

  Origin origin_;
  std::filesystem::path path_;
  int fd_ = -1;
  std::uint64_t offset_ = 0;
};

/// Makes the names in `folder` last: a rename is on the device only after this. Throws IoError.
void sync_folder(const std::filesystem::path& folder);

/// Puts `bytes` at `path`, beside it first and then by rename: readers see the old file or the new
/// one, never a part.
///
/// Throws IoError; what stood at `path` is then untouched and nothing is left beside it.
/// Thread-safe.
void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes);

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/io/file_writer.ipp"
#endif
