// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/format/file_record.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "flashlm/storage/format/checksum.hpp"
#include "support/catch.hpp"
#include "support/json.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using namespace support;

namespace {

FileRecord read(const Json& json) {
  return read_file_record(JsonField(json, "test", "flashlm.json", "files[0]"));
}
FileRecord read(const nlohmann::json& json) { return read(support::read_json(json)); }

const FileRecord kSmall{"config.json", 10, 0, 0, 0x0badcafe};
const FileRecord kWeights{"n.safetensors", 10000, 4096, 0xffffffff, 1};

}  // namespace

TEST_CASE("the checksum of an extent equals that of its bytes, and progress adds up") {
  const TempFolder folder;
  const auto bytes = random_bytes(2'500'001, 1);
  put(folder / "x", bytes);
  for (const FileMode mode : {FileMode::buffered, FileMode::direct}) {
    const File file = File::open(folder / "x", mode);
    for (const Extent extent :
         {Extent{0, bytes.size()}, Extent{4096, bytes.size() - 4096}, Extent{3, 5}, Extent{9, 0}}) {
      std::uint64_t done = 0;
      const std::uint32_t crc = crc32_of(file, extent, [&](std::uint64_t n) { done += n; });
      CHECK(crc == crc32(std::span(bytes).subspan(extent.offset, extent.bytes)));
      CHECK(done == extent.bytes);
    }
    CHECK_THROWS_AS(crc32_of(file, {0, bytes.size() + 1}), FormatError);
  }
}

TEST_CASE("a small file is recorded as it is") {
  const TempFolder folder;
  put(folder / "x", "123456789");
  CHECK(record_small_file(folder.path(), "x") == FileRecord{"x", 9, 0, 0, 0xcbf43926u});
  CHECK_FALSE(record_small_file(folder.path(), "x").is_weights());
  CHECK_THROWS_AS(record_small_file(folder.path(), "y"), IoError);
}

TEST_CASE("a file record survives JSON") {
  CHECK(read(json_of(kSmall)) == kSmall);
  CHECK(read(json_of(kWeights)) == kWeights);
  CHECK(kWeights.data_bytes() == 10000 - 4096);
  CHECK(json_of(kSmall).root().find("header_bytes").is_absent());
}

TEST_CASE("a damaged file record is a FormatError") {
  const nlohmann::json json = support::nlohmann_json(json_of(kWeights));
  for (const auto& [key, value] : json.items()) {
    nlohmann::json damaged = json;
    damaged.erase(key);
    CHECK_THROWS_AS(read(damaged), FormatError);
    damaged[key] = nullptr;
    CHECK_THROWS_AS(read(damaged), FormatError);
  }
  for (const char* digits :
       {"", "0", "FFFFFFFF", "fffffffg", "0ffffffff", "0x123456", " fffffff", "ffffffff "}) {
    nlohmann::json damaged = json;
    damaged["crc32"] = digits;
    CHECK_THROWS_AS(read(damaged), FormatError);
  }
  for (const int header : {0, 10001, -1}) {
    nlohmann::json damaged = json;
    damaged["header_bytes"] = header;
    CHECK_THROWS_AS(read(damaged), FormatError);
  }
}
