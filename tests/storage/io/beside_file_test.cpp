// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/io/beside_file.hpp"

#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "flashlm/storage/io/file_writer.hpp"
#include "flashlm/storage/io/scratch_file.hpp"
#include "support/catch.hpp"
#include "support/forked.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using namespace support;

namespace {

/// Runs `body` in a process that is then killed, with everything as it is.
template <class Body>
void killed_after(Body&& body) {
  CHECK(in_child([&]() -> int {
          body([] { ::raise(SIGKILL); });
          return 0;
        }) == -SIGKILL);
}

std::vector<std::string> sorted_names(const TempFolder& folder) {
  std::vector<std::string> names = folder.names();
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TEST_CASE("a file beside its place takes the place, or goes") {
  const TempFolder folder;
  put(folder / "x", "old");
  {
    BesideFile beside(folder / "x");
    CHECK(beside.path().parent_path() == folder.path());
    put(beside.path(), "dropped");
    CHECK(folder.names().size() == 2);
  }
  CHECK(content(folder / "x").size() == 3);
  BesideFile beside(folder / "x");
  put(beside.path(), "new one");
  beside.replace();
  CHECK(content(folder / "x").size() == 7);
  CHECK(folder.names().size() == 1);
}

TEST_CASE(
    "what a killed writer left is removed by the next one at that place, and by nobody else") {
  const TempFolder folder;
  killed_after([&](auto&& die) {
    BesideFile beside(folder / "x");
    put(beside.path(), "half");
    die();
  });
  killed_after([&](auto&& die) {
    BesideFile beside(folder / "other");
    FileWriter writer(beside.path());
    die();
  });
  REQUIRE(folder.names().size() == 2);
  write_file(folder / "x", {});
  const std::vector<std::string> names = sorted_names(folder);
  REQUIRE(names.size() == 2);
  CHECK(names[0].starts_with("other.part-"));
  CHECK(names[1] == "x");
  BesideFile::remove_leftovers(folder / "other");
  CHECK(folder.names() == std::vector<std::string>{"x"});
}

TEST_CASE(
    "a writer that is alive keeps its file, in whatever process it is and whatever its name says") {
  const TempFolder folder;
  BesideFile beside(folder / "x");
  put(beside.path(), "mine");
  BesideFile::remove_leftovers(folder / "x");
  CHECK(std::filesystem::exists(beside.path()));
  CHECK(in_child([&] {
          write_file(folder / "x", {});  // another process writes the same file
          return std::filesystem::exists(beside.path()) ? 0 : 1;
        }) == 0);
  beside.replace();
  CHECK(content(folder / "x").size() == 4);
  // Its number is ours, but nobody holds it: it is of a process that had the number before.
  put(folder / ("x.part-" + std::to_string(::getpid()) + "-99"), "old");
  BesideFile::remove_leftovers(folder / "x");
  CHECK(folder.names() == std::vector<std::string>{"x"});
}

TEST_CASE("names of others, folders and links are not touched") {
  const TempFolder folder;
  for (const char* name :
       {"x.part-", "x.part-1-a", "x.part", "xx.part-1-0", "x.part-1-0.txt", "y.part-1-0"}) {
    put(folder / name, "theirs");
  }
  std::filesystem::create_directory(folder / "x.part-2-0");
  put(folder / "target", "theirs");
  std::filesystem::create_symlink(folder / "target", folder / "x.part-3-0");
  const std::vector<std::string> before = sorted_names(folder);
  BesideFile::remove_leftovers(folder / "x");
  CHECK(sorted_names(folder) == before);
  put(folder / "x.part-1-0", "ours");
  BesideFile::remove_leftovers(folder / "x");
  CHECK(sorted_names(folder) == before);
}

TEST_CASE("folders go where they are wanted to, with what is in them") {
  const TempFolder folder;
  std::filesystem::create_directories(folder / "scratch-abc" / "deep");
  std::filesystem::create_directories(folder / "scratch-held");
  put(folder / "scratch-abc" / "deep" / "file", "x");
  const int held = ::open((folder / "scratch-held").c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(::flock(held, LOCK_EX | LOCK_NB) == 0);
  remove_abandoned(folder.path(), "scratch-", "abcdehl");
  CHECK(folder.names().size() == 2);
  remove_abandoned(folder.path(), "scratch-", "abcdehl", true);
  CHECK(folder.names() == std::vector<std::string>{"scratch-held"});
  ::close(held);
}

TEST_CASE("a scratch file that a killed process left goes with the next one in its folder") {
  const TempFolder folder(memory_folder());
  killed_after([&](auto&& die) { ScratchFile(folder.path(), 1000, 1, die); });
  REQUIRE(folder.names().size() == 1);
  const ScratchFile file(folder.path(), 1000, 1, [] {});
  CHECK(folder.names().size() == 1);
  const ScratchFile second(folder.path(), 1000, 1, [] {});
  CHECK(folder.names().size() == 2);
}

TEST_CASE("a forked child that drops a writer leaves the parent's file alone") {
  const TempFolder folder;
  auto beside = std::make_unique<BesideFile>(folder / "x");
  auto writer = std::make_unique<FileWriter>(beside->path());
  CHECK(in_child([&] {
          writer.reset();
          beside.reset();
          return 0;
        }) == 0);
  const std::string text = "whole";
  writer->write(std::as_bytes(std::span(text)));
  writer->sync_and_close();
  beside->replace();
  CHECK(content(folder / "x").size() == 5);
}

TEST_CASE("a place that cannot be written is an IoError, and a missing folder has no leftovers") {
  const TempFolder folder;
  CHECK_THROWS_AS(BesideFile(folder / "missing" / "x"), IoError);
  CHECK_NOTHROW(BesideFile::remove_leftovers(folder / "missing" / "x"));
  std::filesystem::create_directory(folder / "x");
  BesideFile beside(folder / "x");
  CHECK_THROWS_AS(beside.replace(), IoError);
}
