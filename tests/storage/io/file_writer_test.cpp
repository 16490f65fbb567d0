// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/io/file_writer.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "flashlm/storage/io/file.hpp"
#include "support/catch.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using namespace support;

namespace {

/// No file may grow beyond `bytes`; the signal that would end the process is ignored meanwhile.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

int code_of(void (*action)(const std::filesystem::path&), const std::filesystem::path& path) {
  try {
    action(path);
  } catch (const IoError& error) {
    return error.code();
  }
  return 0;
}

}  // namespace

TEST_CASE("a written file holds what was written, in order") {
  const TempFolder folder;
  const auto bytes = random_bytes(100'000, 1);
  FileWriter writer(folder / "x");
  for (std::size_t at = 0; at < bytes.size(); at += 777) {
    writer.write(std::span(bytes).subspan(at, std::min<std::size_t>(777, bytes.size() - at)));
  }
  CHECK(writer.offset() == bytes.size());
  writer.sync_and_close();
  CHECK(content(folder / "x") == bytes);
}

TEST_CASE("what is skipped reads as zeros, and is a hole where files can have holes") {
  const TempFolder folder;
  FileWriter writer(folder / "x");
  const auto bytes = random_bytes(5000, 2);
  writer.write(bytes);
  writer.skip(std::uint64_t{1} << 40);
  writer.write(std::span(bytes).first(10));
  CHECK(writer.offset() == (std::uint64_t{1} << 40) + 5010);
  writer.close();
  const File file = File::open(folder / "x");
  REQUIRE(file.size() == (std::uint64_t{1} << 40) + 5010);
  std::vector<std::byte> got(20, std::byte{1});
  file.read(file.size() - 20, got);
  CHECK(std::all_of(got.begin(), got.begin() + 10,
                    [](std::byte one) { return one == std::byte{0}; }));
  CHECK(std::equal(got.begin() + 10, got.end(), bytes.begin()));
  CHECK_THROWS_AS(writer.skip(1), IoError);
}

TEST_CASE("a new file takes the place of a longer old one") {
  const TempFolder folder;
  put(folder / "x", random_bytes(5000, 1));
  FileWriter writer(folder / "x");
  writer.write(random_bytes(10, 2));
  writer.sync_and_close();
  CHECK(content(folder / "x") == random_bytes(10, 2));
}

TEST_CASE("an unfinished file is removed") {
  const TempFolder folder;
  {
    FileWriter writer(folder / "x");
    writer.write(random_bytes(100, 1));
    FileWriter moved(std::move(writer));
    CHECK(std::filesystem::exists(folder / "x"));
  }
  CHECK(folder.names().empty());
}

TEST_CASE("a closed writer refuses to write") {
  const TempFolder folder;
  FileWriter writer(folder / "x");
  writer.sync_and_close();
  CHECK_THROWS_AS(writer.write(random_bytes(1, 1)), IoError);
  CHECK_THROWS_AS(writer.sync_and_close(), IoError);
  CHECK(std::filesystem::exists(folder / "x"));
}

TEST_CASE("a folder that is missing is an IoError") {
  const TempFolder folder;
  const auto missing = folder / "no" / "x";
  CHECK(code_of([](const auto& path) { FileWriter writer(path); }, missing) == ENOENT);
  CHECK(code_of([](const auto& path) { write_file(path, {}); }, missing) == ENOENT);
  CHECK(code_of([](const auto& path) { sync_folder(path); }, missing) == ENOENT);
}

TEST_CASE("a full disk is an IoError with its code, and nothing is left behind") {
  if (!std::filesystem::exists("/dev/full")) return;
  const TempFolder folder;
  // A link, since an unfinished file is removed.
  std::filesystem::create_symlink("/dev/full", folder / "full");
  CHECK(code_of([](const auto& path) { FileWriter(path).write(random_bytes(100, 1)); },
                folder / "full") == ENOSPC);
  CHECK(folder.names().empty());
  CHECK(std::filesystem::exists("/dev/full"));
}

TEST_CASE("a disk that is full after some bytes is an IoError, and nothing is left behind") {
  const TempFolder folder;
  const auto bytes = random_bytes(50'000, 1);
  put(folder / "old", "old");
  {
    const FileSizeLimit limit(20'000);
    CHECK(code_of([](const auto& path) { FileWriter(path).write(random_bytes(50'000, 1)); },
                  folder / "x") == EFBIG);
    CHECK(code_of([](const auto& path) { write_file(path, random_bytes(50'000, 1)); },
                  folder / "old") == EFBIG);
  }
  CHECK(folder.names() == std::vector<std::string>{"old"});
  CHECK(content(folder / "old").size() == 3);
  write_file(folder / "old", bytes);
  CHECK(content(folder / "old") == bytes);
}

TEST_CASE("write_file replaces a file whole and leaves nothing beside it") {
  const TempFolder folder;
  for (const std::size_t n : {0u, 1u, 10'000u}) {
    write_file(folder / "x", random_bytes(n, n));
    CHECK(content(folder / "x") == random_bytes(n, n));
    CHECK(folder.names() == std::vector<std::string>{"x"});
  }
}

TEST_CASE("write_file onto a folder is an IoError and leaves nothing beside it") {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "x");
  CHECK_THROWS_AS(write_file(folder / "x", random_bytes(5, 1)), IoError);
  CHECK(folder.names() == std::vector<std::string>{"x"});
}

TEST_CASE("two threads that write one file leave one of the two contents") {
  const TempFolder folder(memory_folder());
  const auto path = folder / "x";
  const auto write = [&](std::uint64_t seed) {
    for (int i = 0; i < 10; ++i) write_file(path, random_bytes(3000, seed));
  };
  std::thread other(write, 1);
  write(2);
  other.join();
  const auto bytes = content(path);
  CHECK((bytes == random_bytes(3000, 1) || bytes == random_bytes(3000, 2)));
  CHECK(folder.names().size() == 1);
}

TEST_CASE("a file that is closed stays, synced or not, and takes no more") {
  const TempFolder folder(memory_folder());
  for (const bool synced : {false, true}) {
    FileWriter writer(folder / "x");
    writer.write(random_bytes(100, 1));
    if (synced) writer.sync();
    writer.write(random_bytes(100, 2));
    writer.close();
    CHECK(content(folder / "x").size() == 200);
    CHECK_THROWS_AS(writer.write(random_bytes(1, 1)), IoError);
    CHECK_THROWS_AS(writer.sync(), IoError);
    CHECK_THROWS_AS(writer.close(), IoError);
  }
  CHECK(content(folder / "x").size() == 200);
}
