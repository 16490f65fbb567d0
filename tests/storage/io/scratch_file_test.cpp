// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/io/scratch_file.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <vector>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using namespace support;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("a scratch file holds random bytes and is gone with its object") {
  const TempFolder folder;
  {
    int calls = 0;
    const ScratchFile file(folder.path(), 100'001, 1, [&] { ++calls; });
    const auto bytes = content(file.path());
    CHECK(bytes.size() == 100'001);
    CHECK(std::set<std::byte>(bytes.begin(), bytes.end()).size() == 256);
    CHECK(calls == 1);
    CHECK(folder.names().size() == 1);
  }
  CHECK(folder.names().empty());
}

TEST_CASE("a scratch file is shorter when time runs out") {
  const TempFolder folder(memory_folder());
  const ScratchFile file(folder.path(), 2 * ScratchFile::kLeastBytes, 0, [] {});
  CHECK(std::filesystem::file_size(file.path()) == ScratchFile::kLeastBytes);
}

TEST_CASE("a scratch file that is interrupted is gone") {
  const TempFolder folder;
  CHECK_THROWS_AS(ScratchFile(folder.path(), 1000, 1, [] { throw std::runtime_error("stop"); }),
                  std::runtime_error);
  CHECK(folder.names().empty());
}

TEST_CASE("a scratch file without room, folder or permission is an IoError and leaves nothing") {
  const TempFolder folder;
  try {
    ScratchFile(folder.path(), std::uint64_t{1} << 62, 1, [] {});
    FAIL("made");
  } catch (const IoError& error) {
    CHECK(error.code() == ENOSPC);
    CHECK_THAT(error.what(), ContainsSubstring("free space: expected 4.00 EiB, got"));
  }
  CHECK(folder.names().empty());
  CHECK_THROWS_AS(ScratchFile(folder / "missing", 1000, 1, [] {}), IoError);
  if (std::filesystem::is_directory("/proc/self")) {
    CHECK_THROWS_AS(ScratchFile("/proc/self", 0, 1, [] {}), IoError);
  }
}
