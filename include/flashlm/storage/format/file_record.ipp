// SPDX-License-Identifier: Apache-2.0
/// file_record.ipp: the bodies of file_record.hpp.
#pragma once

#include "flashlm/storage/format/file_record.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/storage/format/checksum.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

FLASHLM_ONCE std::uint32_t crc32_of(const File& file, Extent extent,
                                    const std::function<void(std::uint64_t)>& seen) {
  constexpr std::uint64_t kPiece = std::uint64_t{1}
                                   << 20;  // bytes in memory, and between two calls of `seen`
  AlignedBuffer buffer(static_cast<std::size_t>(std::min(kPiece, extent.bytes)));
  std::uint32_t crc = 0;
  while (!extent.empty()) {
    const std::uint64_t n = std::min(kPiece, extent.bytes);
    const auto piece = buffer.bytes().first(static_cast<std::size_t>(n));
    file.read(extent.offset, piece);
    crc = crc32(piece, crc);
    extent = {extent.offset + n, extent.bytes - n};
    if (seen) seen(n);
  }
  return crc;
}

FLASHLM_ONCE FileRecord record_small_file(const std::filesystem::path& folder,
                                          const std::string& name) {
  const File file = File::open(folder / name);
  return {name, file.size(), 0, 0, crc32_of(file, {0, file.size()})};
}

FLASHLM_ONCE Json json_of(const FileRecord& record) {
  Json json;
  json.open(JsonKind::object);
  json.key("name").add(record.name);
  json.key("bytes").add(record.bytes);
  if (record.is_weights()) {
    json.key("header_bytes").add(record.header_bytes);
    json.key("header_crc32").add(crc32_hex(record.header_crc32));
  }
  json.key("crc32").add(crc32_hex(record.crc32));
  json.close();
  return json;
}

FLASHLM_ONCE FileRecord read_file_record(const JsonField& fields) {
  const auto crc = [](const JsonField& field) {
    const std::string& text = field.string();
    std::uint32_t value = 0;
    for (const char digit : text) {
      value =
          value << 4 | static_cast<std::uint32_t>(std::string_view("0123456789abcdef").find(digit));
    }
    // Compared as text: one way only to write a checksum, and it also catches what is no digit.
    if (text != crc32_hex(value)) field.wrong("8 lower-case hexadecimal digits");
    return value;
  };
  fields.only({"name", "bytes", "header_bytes", "header_crc32", "crc32"});
  FileRecord record;
  record.name = fields["name"].word();
  record.bytes = fields["bytes"].count();
  if (fields.has("header_bytes") || fields.has("header_crc32")) {
    record.header_bytes = fields["header_bytes"].count(1, record.bytes);
    record.header_crc32 = crc(fields["header_crc32"]);
  }
  record.crc32 = crc(fields["crc32"]);
  return record;
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
