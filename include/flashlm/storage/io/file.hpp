// SPDX-License-Identifier: Apache-2.0
/// file.hpp: reading a file at any offset, through the page cache or around it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/io/extent.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// `direct` goes around the page cache where the file system can; where it cannot, it is
/// `buffered`.
enum class FileMode { buffered, direct };

/// An open file to read from; its size is the one at opening.
///
/// Thread-safe: any number of threads may read at once.
class File {
 public:
  /// Bytes of the bounce buffer that `read` makes for itself.
  static constexpr std::size_t kBounceBytes = std::size_t{256} << 10;

  /// Opens a regular file. Direct mode is kept only if one real aligned read works and the file is
  /// not in memory; `direct()` tells.
  ///
  /// Throws IoError if it cannot be opened, FormatError if it is not a regular file.
  static File open(const std::filesystem::path& path, FileMode mode = FileMode::buffered);

  File(File&& other) noexcept { swap(other); }
  File& operator=(File&& other) noexcept;
  ~File();

  std::uint64_t size() const noexcept { return size_; }
  const std::filesystem::path& path() const noexcept { return path_; }
  bool direct() const noexcept { return direct_; }

  /// The system's number for the open file, which this object owns.
  int descriptor() const noexcept { return fd_; }

  /// What offset, length and address of a direct read are multiples of, a power of two; 1 when
  /// buffered.
  std::size_t alignment() const noexcept { return alignment_; }

  /// The bytes that the device moves for `wanted`: its aligned superset, cut at the end of the
  /// file.
  Extent superset(Extent wanted) const noexcept;

  /// Fills `into` with the bytes at `offset`. Any alignment works; what is not aligned costs a
  /// copy.
  ///
  /// Throws IoError if the system refuses, FormatError if the file ends before `offset +
  /// into.size()`; `into` then holds anything.
  void read(std::uint64_t offset, std::span<std::byte> into) const;

  /// The same with a bounce buffer of the caller's: aligned, at least `alignment()` bytes, unused
  /// when buffered.
  void read(std::uint64_t offset, std::span<std::byte> into, std::span<std::byte> bounce) const;

  /// Whether a read of `into` at `offset` needs a bounce buffer.
  bool bounces(std::uint64_t offset, std::span<const std::byte> into) const noexcept;

 private:
  static constexpr std::size_t kLargestRead = std::size_t{1}
                                              << 30;  // below every system's limit on one read

  File() = default;

  static std::uintptr_t address(std::span<const std::byte> bytes) noexcept;

  FormatError ended_early(std::uint64_t offset, std::uint64_t wanted, std::uint64_t end) const;

  /// Reads at least `needed` of `length` bytes; fewer than `length` only at the end of the file.
  void read_aligned(std::uint64_t offset, std::byte* into, std::size_t length,
                    std::size_t needed) const;

  void try_direct() noexcept;

  /// Whether the file system is its own cache: Linux takes O_DIRECT for a tmpfs since 6.6, and
  /// copies as ever. One that lies below an overlay does not show.
  bool in_memory() const noexcept;

  /// Reads one unit, at an offset and to an address that are multiples of nothing larger where the
  /// file allows it.
  bool probe(std::size_t unit) const noexcept;

  void swap(File& other) noexcept;

  std::filesystem::path path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  std::size_t alignment_ = 1;
  bool direct_ = false;
};

/// The whole file as a string. Throws as File does, and FormatError beyond `limit` bytes.
std::string read_text(const std::filesystem::path& path,
                      std::uint64_t limit = std::uint64_t{1} << 30);

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/io/file.ipp"
#endif
