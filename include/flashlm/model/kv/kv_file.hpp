// SPDX-License-Identifier: Apache-2.0
/// kv_file.hpp: the keys and values of a run of tokens, in a file (docs/format.md, "A KV file").
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/model/kv/kv_cache.hpp"
#include "flashlm/model/kv/kv_head.hpp"
#include "flashlm/storage/format/sha256.hpp"
#include "flashlm/storage/io/file.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// Whether a written file must be on the device before the call returns.
enum class Durability { synced, unsynced };

/// A KV file that is open to read: its head is checked, its content is checked as it is read. Not
/// thread-safe.
class KvFile {
 public:
  /// Opens a file and checks its head, and that its size fits. Throws IoError; FormatError if it is
  /// no KV file, is damaged, or belongs to another model than `model`, whose caches are shaped like
  /// `kv`.
  static KvFile open(const std::filesystem::path& path, const storage::Digest& model,
                     const KvCache& kv, storage::FileMode mode = storage::FileMode::buffered);

  const KvRange& range() const noexcept { return range_; }

  /// The tokens [n_tokens]. They are only to be trusted after `read` or `check`. Throws IoError,
  /// FormatError.
  std::vector<Token> tokens() const;

  /// Throws ShapeError if `kv` has too few positions.
  void check_room(const KvCache& kv) const;

  /// Reads keys and values into their positions in `kv`, then compares the checksum.
  ///
  /// Throws ShapeError as `check_room` does; IoError or FormatError: the positions of the range
  /// then hold anything.
  void read(KvCache& kv) const;

  /// Compares the checksum and keeps nothing. Throws IoError, FormatError.
  void check() const { scan(nullptr); }

  /// Bytes of a file for `n_tokens` positions of a cache shaped like `kv`.
  static std::uint64_t bytes(const KvCache& kv, std::uint64_t n_tokens) noexcept;

 private:
  friend void write_kv_file(const std::filesystem::path&, const KvRange&, std::span<const Token>,
                            const KvCache&, Durability);

  static constexpr std::size_t kPiece = std::size_t{1} << 20;  // one read
  static constexpr std::size_t kInFlight = 4;
  static constexpr std::size_t kWorthPlacing = std::size_t{128}
                                               << 10;  // shorter reads cost more than a copy

  /// A part of the file: a read into its rows, or into a buffer to be copied from.
  struct Piece {
    std::uint64_t offset = 0;
    std::span<std::byte> bytes;
    bool placed = false;
    storage::Ticket ticket = 0;
  };

  explicit KvFile(storage::File file) { files_.push_back(std::move(file)); }

  std::string path() const { return files_.front().path().string(); }

  FormatError fail(const std::string& what) const;

  bool can_place(const KvCache& kv) const;
  void scan(KvCache* kv) const;
  std::uint32_t scatter(std::span<const std::byte> bytes, std::uint64_t offset, KvCache* kv,
                        std::uint32_t crc) const;

  std::vector<storage::File> files_;  // one
  KvRange range_;
  std::size_t row_size_ = 0;  // of one run, bytes
  std::uint64_t rows_begin_ = 0;
  std::uint64_t rows_end_ = 0;
};

/// Writes positions [first, first + n_tokens) of `kv`, whose tokens are `tokens` [n_tokens], beside
/// `path` and then by rename: readers see what stood there before or the whole file.
///
/// Without syncing, a power cut may leave a file whose bytes never came to the device; its checksum
/// tells. Throws IoError; what stood at `path` is then untouched.
void write_kv_file(const std::filesystem::path& path, const KvRange& range,
                   std::span<const Token> tokens, const KvCache& kv,
                   Durability durability = Durability::synced);

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/kv/kv_file.ipp"
#endif
