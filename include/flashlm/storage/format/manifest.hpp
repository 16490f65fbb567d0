// SPDX-License-Identifier: Apache-2.0
/// manifest.hpp: flashlm.json, the page of a model folder that says what the other files are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/storage/format/file_record.hpp"
#include "flashlm/storage/format/json_value.hpp"
#include "flashlm/storage/format/layer_record.hpp"
#include "flashlm/storage/io/file.hpp"
#include "flashlm/storage/io/foreign_file.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// The content of flashlm.json.
///
/// Its text carries its own checksum, and it carries the checksums of the other files: a changed
/// byte anywhere in the folder is found, in the weights by `verify` and everywhere else by `open`.
struct Manifest {
  static constexpr int kFormatVersion = 4;
  static constexpr int kOldestVersion = 3;  // it has the neurons of every layer in bundles
  static constexpr const char* kFileName = "flashlm.json";
  static constexpr std::uint64_t kLargestBytes =
      std::uint64_t{1} << 28;  // more cannot be a manifest and is not read

  int format_version = kFormatVersion;
  std::string family;  // "llama": who translated the graph, for people; nothing depends on it
  Json graph = Json::object();  // model/graph/read_spec.hpp reads it
  std::optional<Token> bos;     // begins a text
  std::vector<Token> eos;       // any of these ends one
  std::string identity;         // what saved sessions call the graph; empty: by its own text
  std::string dtype;            // of the weights, as `pack` was asked for it
  Json source = Json::object();
  std::vector<FileRecord> files;
  std::vector<LayerRecord> layers;  // those of bundles; none where networks are matrices

  /// The manifest of `folder`, after its files are checked: each exists and has its size, small
  /// files and the headers of weight files have their checksums. The data of weight files are not
  /// read.
  ///
  /// Throws IoError if a file cannot be read, FormatError for everything else.
  static Manifest open(const std::filesystem::path& folder);

  /// What `open` checks of the other files of `folder`. Throws IoError, FormatError.
  void check_files(const std::filesystem::path& folder) const;

  /// The manifest in `text`, which is the content of a flashlm.json; `file` names it in messages.
  /// Looks at no file.
  ///
  /// Throws FormatError.
  static Manifest parse(const std::string& text, const std::string& file);

  /// The manifest that the fields of `json` describe; a checksum among them is not looked at.
  /// Throws FormatError.
  static Manifest from_json(const Json& json, const std::string& file);

  /// The content of flashlm.json, checksum included. Throws FormatError if a field holds what
  /// `open` would refuse.
  std::string text() const;

  /// Writes flashlm.json, whole or not at all. Throws IoError, or FormatError as `text` does.
  void save(const std::filesystem::path& folder) const;

  /// Bytes of all weights: the data of the weight files.
  std::uint64_t weight_bytes() const noexcept;

  /// Reads every byte of every file, around the page cache where possible, and compares the
  /// checksums.
  ///
  /// `on_progress(done, total)` counts bytes and may throw to stop. Throws IoError, or FormatError
  /// that names the first file that differs.
  void verify(
      const std::filesystem::path& folder,
      const std::function<void(std::uint64_t done, std::uint64_t total)>& on_progress = {}) const;

  /// The record of a file of that name, or null.
  const FileRecord* find(std::string_view name) const noexcept;

 private:
  static FormatError fail(const std::string& what, const std::string& file);

  /// Where the eight digits of the checksum stand: behind the last mark, since `checksum` is the
  /// last field.
  static std::size_t checksum_place(const std::string& text);

  static void check_own_checksum(const std::string& text, const std::string& file);

  /// What holds among the fields. Names must stay inside the folder.
  void check(const std::string& file) const;

  /// Throws if it can be said what stands in the place of a file whose size or checksum is another.
  static void refuse_foreign_file(const File& file, FileKind expected);

  static FileKind kind_of(const FileRecord& record);

  static File open_file(const std::filesystem::path& folder, const FileRecord& record,
                        FileMode mode);

  static void expect_crc(const File& file, Extent extent, std::uint32_t expected,
                         std::string_view what,
                         const std::function<void(std::uint64_t)>& seen = {});

  static void check_file(const std::filesystem::path& folder, const FileRecord& record);
};

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/format/manifest.ipp"
#endif
