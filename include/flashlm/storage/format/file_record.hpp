// SPDX-License-Identifier: Apache-2.0
/// file_record.hpp: what the manifest remembers of one file, so that a changed byte is found.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "flashlm/storage/format/json.hpp"
#include "flashlm/storage/io/extent.hpp"
#include "flashlm/storage/io/file.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// Size and checksums of a file of a model folder.
///
/// A weight file (header_bytes > 0) has one checksum for its header and one for the data behind it,
/// so that opening a folder checks the headers without reading the weights. A small file has one
/// checksum for all of it.
struct FileRecord {
  std::string name;  // inside the folder
  std::uint64_t bytes = 0;
  std::uint64_t header_bytes = 0;
  std::uint32_t header_crc32 = 0;
  std::uint32_t crc32 = 0;

  bool is_weights() const noexcept { return header_bytes > 0; }
  std::uint64_t data_bytes() const noexcept { return bytes - header_bytes; }

  friend bool operator==(const FileRecord&, const FileRecord&) noexcept = default;
};

/// The checksum of an extent of a file, in bounded memory; `seen(bytes)` is called as pieces are
/// done.
///
/// Throws what File::read throws, and what `seen` throws.
std::uint32_t crc32_of(const File& file, Extent extent,
                       const std::function<void(std::uint64_t)>& seen = {});

/// The record of a file without weights: `folder / name` as it is now. Throws IoError or
/// FormatError as File does.
FileRecord record_small_file(const std::filesystem::path& folder, const std::string& name);

/// `record` as it stands in flashlm.json.
Json json_of(const FileRecord& record);

/// The inverse of `json_of`. Throws FormatError.
FileRecord read_file_record(const JsonField& fields);

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/format/file_record.ipp"
#endif
