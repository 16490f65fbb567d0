// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/readers/open_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/forked.hpp"
#include "support/readers.hpp"
#include "support/temp_folder.hpp"

#if defined(__linux__)
#include <sys/syscall.h>
#endif

using namespace flashlm;
using namespace flashlm::storage;
using namespace support;
using Catch::Matchers::ContainsSubstring;

namespace {

std::vector<File> open_one(const TempFolder& folder, FileMode mode) {
  std::vector<File> files;
  files.push_back(File::open(folder / "x", mode));
  return files;
}

/// The name of what `auto` opens, if it reads well.
std::string name_of_auto(const std::vector<File>& files, std::span<const std::byte> bytes) {
  const auto reader = open_reader("auto", files);
  std::vector<std::byte> buffer(bytes.size());
  const Read read[] = {{0, 0, buffer}};
  reader->wait(reader->submit(read));
  return std::equal(bytes.begin(), bytes.end(), buffer.begin()) ? std::string(reader->name())
                                                                : "wrong bytes";
}

}  // namespace

TEST_CASE("auto takes io_uring for direct files where it is allowed, and threads elsewhere") {
  const TempFolder folder;
  const auto bytes = random_bytes(10'000, 1);
  put(folder / "x", bytes);
  const auto direct = open_one(folder, FileMode::direct);
  CHECK(name_of_auto(direct, bytes) ==
        (direct[0].direct() && uring_allowed() ? "uring" : "threads"));
  CHECK(name_of_auto(open_one(folder, FileMode::buffered), bytes) == "threads");
}

TEST_CASE("a reader is opened by its name and with a depth") {
  const std::vector<File> files;
  CHECK(open_reader("threads", files)->name() == "threads");
  CHECK(open_reader("threads", files, 3)->name() == "threads");
  CHECK_THROWS_AS(open_reader("threads", files, 1025), ArgumentError);
  CHECK_THROWS_AS(open_reader("uring", files, 40'000), ArgumentError);
  if (!uring_allowed()) return;
  CHECK(open_reader("uring", files)->name() == "uring");
  CHECK(open_reader("uring", files, 3)->name() == "uring");
}

TEST_CASE("an unknown reader is an ArgumentError that lists the names") {
  const std::vector<File> files;
  CHECK_THROWS_AS(open_reader("telepathy", files), ArgumentError);
  CHECK_THROWS_WITH(open_reader("telepathy", files),
                    ContainsSubstring("auto, threads or uring, got 'telepathy'"));
}

#if defined(__linux__)
TEST_CASE("auto falls back to threads where io_uring is forbidden") {
  const TempFolder folder;
  const auto bytes = random_bytes(10'000, 1);
  put(folder / "x", bytes);
  for (const long system_call : {SYS_io_uring_setup, SYS_io_uring_enter}) {
    for (const int code : {EPERM, EACCES, ENOSYS}) {
      CHECK(in_child([&] {
              forbid(system_call, code);
              const auto files = open_one(folder, FileMode::direct);
              if (name_of_auto(files, bytes) != "threads") return 1;
              try {
                open_reader("uring", files);
              } catch (const IoError& error) {
                return error.code() == code || !uring_allowed() ? 0 : 2;
              }
              return 3;
            }) == 0);
    }
  }
}

TEST_CASE("a limit on locked memory, which old kernels put on rings, makes the ring smaller") {
  if (!uring_allowed()) return;
  const std::vector<File> files;
  CHECK(in_child([&] {
          forbid(SYS_io_uring_setup, ENOMEM, UringReaderOptions::kSmallCapacity);
          if (open_reader("uring", files)->name() != "uring") return 1;
          try {
            open_reader("uring", files, 1024);
          } catch (const IoError& error) {
            return error.code() == ENOMEM ? 0 : 2;
          }
          return 3;
        }) == 0);
  CHECK(in_child([&] {
          forbid(SYS_io_uring_setup, ENOMEM);
          try {
            open_reader("uring", files);
          } catch (const IoError& error) {
            return error.code() == ENOMEM ? 0 : 2;
          }
          return 3;
        }) == 0);
}
#endif
