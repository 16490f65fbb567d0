// SPDX-License-Identifier: Apache-2.0
/// manifest.ipp: the bodies of manifest.hpp.
#pragma once

#include "flashlm/storage/format/manifest.hpp"

#include <algorithm>
#include <limits>
#include <set>
#include <span>

#include "flashlm/storage/format/checksum.hpp"
#include "flashlm/storage/format/json.hpp"
#include "flashlm/storage/io/file_writer.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

FLASHLM_ONCE Manifest Manifest::open(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kFileName;
  Manifest manifest = parse(read_text(path, kLargestBytes), path.string());
  manifest.check_files(folder);
  return manifest;
}

FLASHLM_ONCE void Manifest::check_files(const std::filesystem::path& folder) const {
  for (const FileRecord& record : files) check_file(folder, record);
}

FLASHLM_ONCE Manifest Manifest::parse(const std::string& text, const std::string& file) {
  check_own_checksum(text, file);
  return from_json(parse_json(text, "manifest", file), file);
}

FLASHLM_ONCE Manifest Manifest::from_json(const Json& json, const std::string& file) {
  const JsonField fields(json, "manifest", file);
  if (fields["format"].string() != "flashlm") fields["format"].wrong("\"flashlm\"");
  const std::uint64_t version = fields["format_version"].count();
  if (version < kOldestVersion || version > kFormatVersion) {
    constexpr std::uint64_t kWithoutGraph = 2;
    fields["format_version"].wrong(
        concat(kOldestVersion, " or ", kFormatVersion),
        version == kWithoutGraph
            ? "Its weights are as they are now: open the folder once with Python, for instance by "
              "`flashlm info FOLDER`, and flashlm.json is written anew."
        : version > kFormatVersion ? "A newer version of flashlm wrote it: update this one."
                                   : "An old version of flashlm wrote it: pack the model again.");
  }
  fields.only({"format", "format_version", "family", "graph", "tokens", "identity", "dtype",
               "source", "files", "layers", "checksum"});
  Manifest manifest;
  manifest.format_version = static_cast<int>(version);
  manifest.family = fields["family"].word();
  if (!fields["graph"].value().is_object()) fields["graph"].wrong("an object");
  manifest.graph = Json(fields["graph"].value());
  const JsonField tokens = fields["tokens"];
  tokens.only({"bos", "eos"});
  constexpr std::uint64_t kLargestToken = std::numeric_limits<Token>::max();
  if (!tokens["bos"].is_null())
    manifest.bos = static_cast<Token>(tokens["bos"].count(0, kLargestToken));
  tokens["eos"].elements([&](const JsonField& one) {
    manifest.eos.push_back(static_cast<Token>(one.count(0, kLargestToken)));
  });
  manifest.identity = fields["identity"].string("");
  manifest.dtype = fields["dtype"].word();
  if (!fields["source"].value().is_object()) fields["source"].wrong("an object");
  manifest.source = Json(fields["source"].value());
  fields["files"].elements(
      [&](const JsonField& one) { manifest.files.push_back(read_file_record(one)); });
  fields["layers"].elements(
      [&](const JsonField& one) { manifest.layers.push_back(read_layer_record(one)); });
  manifest.check(file);
  return manifest;
}

FLASHLM_ONCE std::string Manifest::text() const {
  check(kFileName);
  Json json;
  json.open(JsonKind::object);
  json.key("format").add("flashlm");
  json.key("format_version").add(format_version);
  json.key("family").add(family);
  json.key("graph").add(graph);
  json.key("tokens").open(JsonKind::object);
  json.key("bos");
  bos ? json.add(*bos) : json.add(nullptr);
  json.key("eos").open(JsonKind::array);
  for (const Token token : eos) json.add(token);
  json.close();
  json.close();
  if (!identity.empty()) json.key("identity").add(identity);
  json.key("dtype").add(dtype);
  json.key("source").add(source);
  json.key("files").open(JsonKind::array);
  for (const FileRecord& record : files) json.add(json_of(record));
  json.close();
  json.key("layers").open(JsonKind::array);
  for (const LayerRecord& record : layers) json.add(json_of(record));
  json.close();
  json.key("checksum").add("crc32:00000000");
  json.close();
  std::string result = json.dump(2) + "\n";
  (void)parse_json(result, "manifest", kFileName);  // texts that are not UTF-8
  const std::string digits = crc32_hex(crc32(std::as_bytes(std::span(result))));
  return result.replace(checksum_place(result), 8, digits);
}

FLASHLM_ONCE void Manifest::save(const std::filesystem::path& folder) const {
  const std::string content = text();
  write_file(folder / kFileName, std::as_bytes(std::span(content)));
}

FLASHLM_ONCE std::uint64_t Manifest::weight_bytes() const noexcept {
  std::uint64_t total = 0;
  for (const FileRecord& record : files) total += record.is_weights() ? record.data_bytes() : 0;
  return total;
}

FLASHLM_ONCE void Manifest::verify(
    const std::filesystem::path& folder,
    const std::function<void(std::uint64_t done, std::uint64_t total)>& on_progress) const {
  std::uint64_t total = 0;
  for (const FileRecord& record : files) total += record.bytes;
  std::uint64_t done = 0;
  const auto seen = [&](std::uint64_t bytes) {
    done += bytes;
    if (on_progress) on_progress(done, total);
  };
  for (const FileRecord& record : files) {
    const File file = open_file(folder, record, FileMode::direct);
    if (record.is_weights())
      expect_crc(file, {0, record.header_bytes}, record.header_crc32, "header", seen);
    expect_crc(file, {record.header_bytes, record.data_bytes()}, record.crc32, "content", seen);
  }
}

FLASHLM_ONCE const FileRecord* Manifest::find(std::string_view name) const noexcept {
  for (const FileRecord& record : files) {
    if (record.name == name) return &record;
  }
  return nullptr;
}

FLASHLM_ONCE FormatError Manifest::fail(const std::string& what, const std::string& file) {
  return FormatError(concat("[manifest] ", what, " (", file, ")"));
}

FLASHLM_ONCE std::size_t Manifest::checksum_place(const std::string& text) {
  constexpr std::string_view kMark = "\"checksum\": \"crc32:";
  const std::size_t mark = text.rfind(kMark);
  if (mark == std::string::npos || text.size() - mark < kMark.size() + 8) return std::string::npos;
  return mark + kMark.size();
}

FLASHLM_ONCE void Manifest::check_own_checksum(const std::string& text, const std::string& file) {
  const std::size_t place = checksum_place(text);
  if (place == std::string::npos) {
    refuse_foreign(text, FileKind::json, "manifest", file);
    throw fail("checksum is missing", file);
  }
  std::string zeroed = text;
  const std::string expected =
      crc32_hex(crc32(std::as_bytes(std::span(zeroed.replace(place, 8, "00000000")))));
  if (const std::string got = text.substr(place, 8); got != expected) {
    throw fail(concat("checksum: expected ", expected, ", got ", got,
                      "; the file was changed by hand or damaged"),
               file);
  }
}

FLASHLM_ONCE void Manifest::check(const std::string& file) const {
  if (format_version < kOldestVersion || format_version > kFormatVersion)
    throw fail(concat("format_version: got ", format_version), file);
  std::set<std::string> names{kFileName};
  std::uint64_t total = 0;
  for (const FileRecord& record : files) {
    if (record.name.empty() || record.name == "." || record.name == ".." ||
        record.name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos) {
      throw fail(concat("files: expected a plain file name, got '", record.name, "'"), file);
    }
    if (!names.insert(record.name).second)
      throw fail(concat("files: '", record.name, "' is listed twice"), file);
    if (record.header_bytes > record.bytes ||
        record.bytes > std::numeric_limits<std::int64_t>::max() ||
        __builtin_add_overflow(total, record.bytes, &total)) {
      throw fail(concat("files: impossible size of '", record.name, "'"), file);
    }
  }
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    const LayerRecord& record = layers[layer];
    const FileRecord* weights = find(record.file);
    if (weights == nullptr || !weights->is_weights()) {
      throw fail(concat("layers[", layer, "].file: expected a weight file of the list, got '",
                        record.file, "'"),
                 file);
    }
    if (const std::string problem = record.layout.problem(); !problem.empty()) {
      throw fail(concat("layers[", layer, "]: ", problem), file);
    }
    if (record.layout.total_bytes() > weights->data_bytes()) {
      throw fail(concat("layers[", layer, "]: expected at most ", weights->data_bytes(),
                        " bytes, got ", record.layout.total_bytes()),
                 file);
    }
  }
}

FLASHLM_ONCE void Manifest::refuse_foreign_file(const File& file, FileKind expected) {
  std::vector<std::byte> begin(
      static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), kForeignBytes)));
  file.read(0, begin);
  refuse_foreign(begin, expected, "manifest", file.path().string());
}

FLASHLM_ONCE FileKind Manifest::kind_of(const FileRecord& record) {
  if (record.is_weights()) return FileKind::safetensors;
  return record.name.ends_with(".json") ? FileKind::json : FileKind::text;
}

FLASHLM_ONCE File Manifest::open_file(const std::filesystem::path& folder, const FileRecord& record,
                                      FileMode mode) {
  File file = File::open(folder / record.name, mode);
  if (file.size() != record.bytes) {
    refuse_foreign_file(file, kind_of(record));
    throw fail(concat("size: expected ", record.bytes, " bytes, got ", file.size(),
                      "; was the copy cut short?"),
               file.path().string());
  }
  return file;
}

FLASHLM_ONCE void Manifest::expect_crc(const File& file, Extent extent, std::uint32_t expected,
                                       std::string_view what,
                                       const std::function<void(std::uint64_t)>& seen) {
  const std::uint32_t got = crc32_of(file, extent, seen);
  if (got != expected) {
    if (extent.offset == 0) refuse_foreign_file(file, FileKind::text);
    throw fail(concat(what, ": expected checksum ", crc32_hex(expected), ", got ", crc32_hex(got),
                      "; the file was changed or damaged"),
               file.path().string());
  }
}

FLASHLM_ONCE void Manifest::check_file(const std::filesystem::path& folder,
                                       const FileRecord& record) {
  const File file = open_file(folder, record, FileMode::buffered);
  if (record.is_weights()) {
    expect_crc(file, {0, record.header_bytes}, record.header_crc32, "header");
  } else {
    expect_crc(file, {0, record.bytes}, record.crc32, "content");
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
